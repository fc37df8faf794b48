"""A log so simple that it can't be wrong, and random changes to make to it and to a real one."""

from __future__ import annotations

from random import Random

from msgspec import Struct

from wire.raft.storage.ports import LogStore
from wire.raft.types import Entry, MemberId, Vote

EVERYTHING = 1 << 40


class Content(Struct, frozen=True):
    """All that can be read from a log."""

    base: tuple[int, int] = (0, 0)
    entries: tuple[Entry, ...] = ()
    vote: Vote = Vote()

    @property
    def last(self) -> tuple[int, int]:
        return (self.entries[-1].index, self.entries[-1].term) if self.entries else self.base


def content(log: LogStore) -> Content:
    """Read everything, and check that what the log says of itself fits together."""
    entries = tuple(log.entries(log.base[0] + 1, EVERYTHING))
    found = Content(log.base, entries, log.vote)
    assert found.last == log.last
    assert log.size == sum(len(entry.command) for entry in entries)
    assert log.term_at(log.base[0]) == log.base[1]
    assert [log.term_at(entry.index) for entry in entries] == [entry.term for entry in entries]
    assert [entry.index for entry in entries] == list(range(log.base[0] + 1, log.last[0] + 1))
    assert log.term_at(log.base[0] - 1) is None
    assert log.term_at(log.last[0] + 1) is None
    return found


def change(log: LogStore, before: Content, random: Random) -> Content:
    """Make one random change to a log whose content is `before`, and return what its content must then be."""
    base, entries, vote = before.base, before.entries, before.vote
    last = before.last
    match random.choices(("append", "truncate", "vote", "compact", "reset"), (12, 2, 2, 2, 0.3))[0]:
        case "truncate" if entries:
            first = random.choice(entries).index
            log.truncate(first)
            return Content(base, entries[: first - base[0] - 1], vote)
        case "vote":
            new = Vote(vote.term + random.randint(1, 3), random.choice((None, MemberId("a/1"), MemberId("b/é"))))
            log.set_vote(new)
            return Content(base, entries, new)
        case "compact" if entries:
            chosen = random.choice(entries)
            log.compact(chosen.index)
            return Content((chosen.index, chosen.term), entries[chosen.index - base[0] :], vote)
        case "reset":
            new_base = (max(base[0], last[0] + random.randint(-3, 5)), last[1] + random.randint(0, 1))
            log.reset(*new_base)
            return Content(new_base, (), vote)
        case _:
            entry = Entry(last[0] + 1, last[1] + random.randint(0, 1), command(random))
            log.append(entry)
            return Content(base, (*entries, entry), vote)


def command(random: Random) -> bytes:
    """Return a command: often small, sometimes of several sectors, with zeros or without."""
    size = random.choice((0, 1, 30, 100, random.randint(0, 700), random.randint(0, 2500)))
    return random.choice((random.randbytes(size), bytes(size), b"\x10\0\0\0\2" * (size // 5)))
