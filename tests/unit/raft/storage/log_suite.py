"""What every LogStore must do, whatever it is made on."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.unit.raft.storage.log_model import EVERYTHING, Content, change, content
from wire.core.errors import WireError
from wire.raft.storage.ports import LogStore
from wire.raft.types import Entry, MemberId, Vote

Open = Callable[..., LogStore]
A = Vote(1, MemberId("a/1"))


def entries(first: int, last: int, *, term: int = 1, size: int = 10) -> list[Entry]:
    return [Entry(index, term, b"%010d" % index + b"." * (size - 10)) for index in range(first, last + 1)]


def fill(log: LogStore, first: int, last: int, *, term: int = 1, size: int = 10) -> None:
    for entry in entries(first, last, term=term, size=size):
        log.append(entry)


class LogStoreSuite:
    """Subclasses give `open`: a function that opens the log of one place, after closing what it had opened before."""

    def test_a_new_log_is_empty(self, open_log: Open) -> None:
        log = open_log()
        assert content(log) == Content()
        assert (log.base, log.last, log.vote, log.dirty, log.size) == ((0, 0), (0, 0), Vote(), False, 0)
        assert list(log.entries(1, EVERYTHING)) == []

    def test_what_was_synced_is_there_again(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 5)
        log.set_vote(A)
        log.sync()
        log = open_log()
        assert list(log.entries(1, EVERYTHING)) == entries(1, 5)
        assert log.vote == A
        assert not log.dirty

    def test_a_change_makes_it_dirty_until_the_sync(self, open_log: Open) -> None:
        log = open_log()
        changes: list[Callable[[], None]] = [
            lambda: fill(log, 1, 9),
            lambda: log.truncate(9),
            lambda: log.set_vote(A),
            lambda: log.compact(3),
            lambda: log.reset(20, 1),
        ]
        for make in changes:
            make()
            assert log.dirty
            log.sync()
            assert not log.dirty

    def test_what_changes_nothing_does_not_make_it_dirty(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 5)
        log.set_vote(A)
        log.compact(3)
        log.sync()
        log.truncate(6)
        log.set_vote(A)
        log.compact(3)
        log.compact(2)
        assert not log.dirty
        log.sync()
        assert content(log) == Content((3, 1), tuple(entries(4, 5)), A)

    def test_changes_are_read_before_they_are_synced(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 3)
        assert list(log.entries(2, EVERYTHING)) == entries(2, 3)
        log.truncate(2)
        assert log.last == (1, 1)
        fill(log, 2, 2, term=4)
        assert log.term_at(2) == 4

    def test_entries_come_as_many_as_fit_and_at_least_one(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 3000, size=10)
        assert [len(log.entries(5, max_bytes)) for max_bytes in (0, 1, 10, 19, 20, 20_000)] == [1, 1, 1, 1, 2, 2000]
        assert [len(log.entries(5, EVERYTHING, count)) for count in (1, 2, 1020, 1021, 2000)] == [
            1,
            2,
            1020,
            1021,
            2000,
        ]
        assert list(log.entries(2990, EVERYTHING)) == entries(2990, 3000)
        assert log.entries(3000, 10)[0].index == 3000

    def test_there_are_no_entries_outside_the_log(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 5)
        log.compact(3)
        for first in (0, 3, 6, 7):
            assert list(log.entries(first, EVERYTHING)) == []

    def test_truncated_entries_are_gone_and_others_take_their_place(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 5000)
        log.sync()
        log.truncate(2049)
        assert (log.last, log.size) == ((2048, 1), 20480)
        fill(log, 2049, 2050, term=2)
        log.truncate(1500)
        fill(log, 1500, 2100, term=3)
        log.sync()
        log = open_log()
        assert log.last == (2100, 3)
        assert list(log.entries(1499, EVERYTHING)) == [*entries(1499, 1499), *entries(1500, 2100, term=3)]
        content(log)

    def test_all_entries_can_be_truncated(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 1500)
        log.compact(1200)
        log.truncate(1201)
        assert content(log) == Content((1200, 1))
        fill(log, 1201, 1201, term=2)
        log.sync()
        assert content(open_log()) == Content((1200, 1), tuple(entries(1201, 1201, term=2)))

    def test_compaction_moves_the_base(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 5000)
        for index in (1, 1024, 1025, 3000, 4096, 4097):
            log.compact(index)
            assert content(log) == Content((index, 1), tuple(entries(index + 1, 5000)))
        log.sync()
        assert content(open_log()) == Content((4097, 1), tuple(entries(4098, 5000)))

    def test_compaction_may_take_everything(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 1024, term=7)
        log.compact(1024)
        assert content(log) == Content((1024, 7))
        fill(log, 1025, 1026, term=7)
        log.sync()
        assert content(open_log()) == Content((1024, 7), tuple(entries(1025, 1026, term=7)))

    def test_reset_begins_behind_a_snapshot(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 5000)
        log.set_vote(A)
        log.sync()
        log.reset(100, 9)
        assert content(log) == Content((100, 9), (), A)
        fill(log, 101, 102, term=9)
        log.sync()
        assert content(open_log()) == Content((100, 9), tuple(entries(101, 102, term=9)), A)

    def test_an_entry_out_of_order_is_refused(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 3)
        for index in (0, 3, 5):
            with pytest.raises(ValueError, match="can't follow entry 3"):
                log.append(Entry(index, 1, b""))
        assert log.last == (3, 1)

    def test_the_base_can_not_be_truncated(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 3)
        log.compact(2)
        for first in (1, 2):
            with pytest.raises(ValueError, match="the log begins behind 2"):
                log.truncate(first)

    def test_what_is_not_there_can_not_become_the_base(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 3)
        with pytest.raises(ValueError, match="the last is 3"):
            log.compact(4)

    def test_a_vote_is_never_taken_back(self, open_log: Open) -> None:
        log = open_log()
        log.set_vote(Vote(5))
        log.set_vote(Vote(5, MemberId("a/1")))
        for vote in (Vote(4), Vote(5), Vote(5, MemberId("b/1"))):
            with pytest.raises(ValueError, match="can't follow"):
                log.set_vote(vote)
        log.set_vote(Vote(6))
        log.sync()
        assert open_log().vote == Vote(6)

    def test_a_large_entry_is_one_entry(self, open_log: Open) -> None:
        log = open_log()
        large = Entry(1, 1, Random(1).randbytes(3_000_000))
        log.append(large)
        log.sync()
        assert list(open_log().entries(1, 1)) == [large]

    def test_another_owners_log_is_refused(self, open_log: Open) -> None:
        log = open_log(owner=b"cluster/one")
        fill(log, 1, 3)
        log.sync()
        with pytest.raises(WireError, match=r"written by 'cluster/one', not by 'cluster/two'") as refusal:
            open_log(owner=b"cluster/two")
        assert refusal.value.code == "raft.storage.foreign"
        assert open_log(owner=b"cluster/one").last == (3, 1)

    def test_tidying_changes_nothing_that_is_read(self, open_log: Open) -> None:
        log = open_log()
        fill(log, 1, 9)
        log.compact(5)
        log.sync()
        before = content(log)
        while log.tidy():
            pass
        assert content(log) == content(open_log()) == before

    def test_what_is_synced_takes_room_on_disk(self, open_log: Open) -> None:
        log = open_log()
        before = log.disk_bytes
        log.append(Entry(1, 1, bytes(100_000)))
        log.sync()
        assert log.disk_bytes >= before + 100_000

    def test_closing_twice_is_closing_once(self, open_log: Open) -> None:
        log = open_log()
        log.close()
        log.close()

    @pytest.mark.parametrize("seed", range(4))
    def test_it_does_what_the_model_does(self, open_log: Open, seed: int) -> None:
        random = Random(seed)
        log, expected = open_log(), Content()
        for _ in range(300):
            expected = change(log, expected, random)
            if random.random() < 0.2:
                log.sync()
                if random.random() < 0.3:
                    log = open_log()
            assert content(log) == expected
        log.sync()
        assert content(open_log()) == expected
