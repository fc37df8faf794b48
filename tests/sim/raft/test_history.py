"""Histories of clients that no order explains are told, and those that one does explain are not."""

from __future__ import annotations

import pytest

from tests.sim.raft.checks import ViolationError
from tests.sim.raft.history import History

pytestmark = pytest.mark.sim


@pytest.fixture
def history() -> History:
    return History()


def appended(history: History, *values: bytes) -> None:
    """Let each of some values be proposed and confirmed behind the one before."""
    for value in values:
        history.proposed(value)
        history.confirmed_at(value, history.began())


def test_calls_at_the_same_time_may_come_in_any_order(history: History) -> None:
    began = history.began()
    history.proposed(b"a")
    history.proposed(b"b")
    history.proposed(b"c")
    history.confirmed_at(b"b", 1)
    history.read([], began)
    history.read([b"a", b"b"], history.began())
    history.confirmed_at(b"a", 0)
    history.read([b"a"], began)
    history.end([b"a", b"b", b"c"])
    assert history.reads == 3


def test_what_nobody_heard_of_may_be_there_or_not(history: History) -> None:
    history.proposed(b"a")
    history.end([])
    history.end([b"a"])


def test_a_read_that_does_not_see_what_was_confirmed_before_it_is_told(history: History) -> None:
    appended(history, b"a", b"b")
    with pytest.raises(ViolationError, match="a read saw 1 values, and 2 were there"):
        history.read([b"a"], history.began())


def test_a_read_that_does_not_see_what_was_read_before_it_is_told(history: History) -> None:
    history.proposed(b"a")
    history.proposed(b"b")
    history.read([b"a", b"b"], history.began())
    with pytest.raises(ViolationError, match="a read saw 1 values, and 2 were there"):
        history.read([b"a"], history.began())


def test_a_value_in_a_place_that_was_read_before_it_was_proposed_is_told(history: History) -> None:
    history.proposed(b"a")
    history.proposed(b"b")
    history.read([b"a", b"b"], history.began())
    history.proposed(b"c")
    with pytest.raises(ViolationError, match="b'c' stands at 1, and 2 values were there when it was proposed"):
        history.confirmed_at(b"c", 1)


def test_a_value_in_a_place_before_what_was_confirmed_when_it_was_proposed_is_told(history: History) -> None:
    appended(history, b"a", b"b")
    history.proposed(b"c")
    with pytest.raises(ViolationError, match="b'c' stands at 0"):
        history.confirmed_at(b"c", 0)


def test_a_value_of_which_nobody_heard_stands_behind_what_was_there_before_it(history: History) -> None:
    history.proposed(b"a")
    history.proposed(b"b")
    history.confirmed_at(b"b", 1)
    history.proposed(b"late")
    with pytest.raises(ViolationError, match="b'late' stands at 0, and 2 values were there"):
        history.end([b"late", b"b", b"a"])


def test_a_value_that_is_proposed_again_may_stand_where_it_was_put_at_first(history: History) -> None:
    history.proposed(b"a")
    history.proposed(b"b")
    history.confirmed_at(b"b", 1)
    history.proposed(b"a")
    history.confirmed_at(b"a", 0)
    history.end([b"a", b"b"])


def test_two_reads_that_saw_other_values_are_told(history: History) -> None:
    for value in (b"a", b"b", b"c"):
        history.proposed(value)
    history.read([b"a", b"b"], history.began())
    with pytest.raises(ViolationError, match="two reads saw other values than each other up to 2"):
        history.read([b"a", b"c", b"b"], history.began())


def test_a_read_of_what_is_not_there_at_the_end_is_told(history: History) -> None:
    for value in (b"a", b"b"):
        history.proposed(value)
    history.read([b"a"], history.began())
    with pytest.raises(ViolationError, match="a read saw 1 values, and these are not"):
        history.end([b"b", b"a"])
    with pytest.raises(ViolationError, match="a read saw 1 values, and these are not"):
        history.end([])


def test_a_value_that_is_lost_or_elsewhere_at_the_end_is_told(history: History) -> None:
    appended(history, b"a", b"b")
    with pytest.raises(ViolationError, match="b'b' was confirmed at 1 and is not there"):
        history.end([b"a"])
    with pytest.raises(ViolationError, match="b'a' was confirmed at 0 and is not there"):
        history.end([b"b", b"a"])


def test_a_value_with_two_places_or_twice_in_the_list_or_out_of_nowhere_is_told(history: History) -> None:
    appended(history, b"a")
    with pytest.raises(ViolationError, match="was confirmed at 1 and at 0"):
        history.confirmed_at(b"a", 1)
    with pytest.raises(ViolationError, match="carried out twice"):
        history.end([b"a", b"a"])
    with pytest.raises(ViolationError, match="b'x' stands at 1, and nobody has proposed it"):
        history.end([b"a", b"x"])
