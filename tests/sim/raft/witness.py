"""What a member has shown over all its lives, and what must never contradict: between two members, or within one."""

from __future__ import annotations

from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from tests.sim.raft.checks import ViolationError
from tests.sim.raft.machine import Ledger
from wire.raft.replica.replica import Replica
from wire.raft.types import Entry, MemberId


class Fact(Struct, frozen=True):
    """An entry that somebody has taken for committed, being in `seen_in`."""

    term: int
    command: bytes
    seen_in: int


class Witness(Struct, frozen=True):
    """`led` are the terms it has led in, `committed` what it took for committed by index, `values` what it applied.

    Clients have heard here of the values before place `confirmed`: that they are kept, or in a read.
    """

    led: frozenset[int] = frozenset()
    committed: tuple[tuple[int, Fact], ...] = ()
    values: tuple[bytes, ...] = ()
    confirmed: int = 0

    def seen(self, member: MemberId, replica: Replica, machine: Ledger) -> Self:
        """Return what the member has shown by now. Raises ViolationError where it contradicts itself."""
        store = replica._store
        if not replica.applied <= replica.commit <= store.last[0]:
            row = f"applied {replica.applied}, committed {replica.commit}, last {store.last[0]}"
            raise ViolationError(f"{member} is ahead of itself: {row}")
        known = dict(self.committed)
        for entry in store.entries(store.base[0] + 1, 1 << 60):
            if entry.index > replica.commit:
                break
            fact = known.setdefault(entry.index, Fact(entry.term, entry.command, replica.term))
            if (fact.term, fact.command) != (entry.term, entry.command):
                raise ViolationError(f"{member} has committed two entries {entry.index}")
        values = tuple(machine.values)
        _one_follows_the_other(member, self.values, member, values)
        return replace(
            self,
            led=self.led | {replica.term} if replica.is_leader else self.led,
            committed=tuple(sorted(known.items())),
            values=max(values, self.values, key=len),
        )

    def told(self, member: MemberId, machine: Ledger, value: bytes, place: int) -> Self:
        """Return the same after a client heard that its value was appended at a place."""
        if machine.values[place : place + 1] != [value]:
            raise ViolationError(f"{member} confirmed {value!r} at {place}, where it is not")
        return replace(self, confirmed=max(self.confirmed, place + 1))

    def read(self, member: MemberId, machine: Ledger, began: int) -> Self:
        """Return the same after a client read here what had to be so many values when it asked.

        What they are is compared with everything that others have applied, since this member has applied them.
        """
        seen = len(machine.values)
        if seen < began:
            raise ViolationError(f"a read of {member} saw {seen} values, and clients knew of {began} before it began")
        return replace(self, confirmed=max(self.confirmed, seen))


class Leadership(Struct, frozen=True):
    """Of the term in which a member leads, with the terms of the entries behind the base of its log."""

    term: int
    base: int
    terms: tuple[int, ...]

    def lacks(self, witness: Witness) -> int | None:
        """Return an entry that this leader should have because somebody committed it in an earlier term (I5)."""
        for index, fact in witness.committed:
            at = index - self.base - 1
            if fact.seen_in < self.term and at >= 0 and self.terms[at : at + 1] != (fact.term,):
                return index
        return None


class Log(Struct, frozen=True):
    """What is in a member's log: the entries, and the terms of these with that of the base before them."""

    base: int
    terms: tuple[int, ...]
    entries: tuple[Entry, ...]


def match(one: MemberId, mine: Log, other: MemberId, theirs: Log) -> None:
    """Check log matching: two logs with an entry of the same index and term are the same up to it."""
    base = max(mine.base, theirs.base)
    at, their = base - mine.base, base - theirs.base
    pairs = list(zip(mine.entries[at:], theirs.entries[their:], strict=False))
    same = [place for place, (entry, another) in enumerate(pairs) if entry.term == another.term]
    if not same:
        return
    for entry, another in pairs[: same[-1]]:
        if entry != another:
            raise ViolationError(f"{one} and {other} agree on an entry behind {entry.index}, and not on that one")
    entry, another = pairs[same[-1]]
    if entry != another or mine.terms[at] != theirs.terms[their]:
        raise ViolationError(f"{one} has another entry {entry.index} of term {entry.term} than {other}, or before it")


def compare(one: MemberId, mine: Witness, other: MemberId, theirs: Witness) -> None:
    """Check one leader per term, and that what two members have committed and applied is the same."""
    both = mine.led & theirs.led
    if both:
        raise ViolationError(f"{one} and {other} both lead in term {min(both)}")
    known = dict(theirs.committed)
    for index, fact in mine.committed:
        their = known.get(index, fact)
        if (fact.term, fact.command) != (their.term, their.command):
            raise ViolationError(f"{one} has committed another entry {index} than {other}")
    _one_follows_the_other(one, mine.values, other, theirs.values)


def _one_follows_the_other(one: MemberId, mine: tuple[bytes, ...], other: MemberId, theirs: tuple[bytes, ...]) -> None:
    common = min(len(mine), len(theirs))
    if mine[:common] != theirs[:common]:
        raise ViolationError(f"{one} has applied {mine}, {other} {theirs}")
    if len(set(mine)) != len(mine):
        raise ViolationError(f"{one} has applied a value twice: {mine}")
