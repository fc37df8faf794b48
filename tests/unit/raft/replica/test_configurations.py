"""Which members there were as of which entry."""

from __future__ import annotations

from tests.unit.raft.replica.kit import member
from wire.raft.replica.configurations import Configurations, command_of
from wire.raft.types import Configuration, Entry


def test_what_is_older_than_all_that_is_known_has_the_oldest_members_that_are_known() -> None:
    oldest, newer = Configuration((member("a"),)), Configuration((member("a"), member("b")))
    known = Configurations(5, oldest, [Entry(7, 1, command_of(newer))])
    assert [known.at(index) for index in (4, 5, 6, 7)] == [oldest, oldest, oldest, newer]
