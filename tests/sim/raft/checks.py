"""What must hold after every step, and over the whole history at the end."""

from __future__ import annotations

from collections.abc import Iterable

from tests.sim.raft.machine import Ledger
from wire.raft.replica.replica import Replica
from wire.raft.types import MemberId


class ViolationError(Exception):
    """Something that must never happen did."""


class Checker:
    """Sees every member after each of its steps, and every call of a client as it begins and as it ends."""

    def __init__(self) -> None:
        self._leaders: dict[int, MemberId] = {}
        self._committed: dict[int, tuple[int, bytes]] = {}
        self._committed_in: dict[int, int] = {}
        self._highest = 0
        self._values: list[bytes] = []
        self._checked: dict[MemberId, int] = {}
        self._seen: dict[MemberId, tuple[int, int, int]] = {}
        self._free = 0
        self.confirmed: dict[bytes, int] = {}
        self.elections = 0
        self.reads = 0

    def restarted(self, member: MemberId) -> None:
        self._checked.pop(member, None)
        self._seen.pop(member, None)

    def step(self, member: MemberId, replica: Replica, machine: Ledger) -> None:
        """Check one leader per term, leader completeness, log matching, and what is committed and applied."""
        commit, (last, _) = replica.commit, replica._store.last
        if commit > last:
            raise ViolationError(f"{member} has committed {commit}, and its log ends at {last}")
        if replica.applied > commit:
            raise ViolationError(f"{member} has applied {replica.applied} of {commit}")
        if replica.is_leader:
            self._leads(member, replica)
        now = (replica.term, commit, len(machine.values))
        if self._seen.get(member) == now:
            return
        self._seen[member] = now
        self._committed_alike(member, replica)
        self._applied_alike(member, machine)

    def _leads(self, member: MemberId, replica: Replica) -> None:
        first = self._leaders.setdefault(replica.term, member)
        if first != member:
            raise ViolationError(f"{first} and {member} both lead in term {replica.term}")
        if getattr(replica, "_seen_as_leader_in", None) != replica.term:
            replica._seen_as_leader_in = replica.term
            self.elections += 1
            for index in range(max(replica._store.base[0], 1), self._highest + 1):
                term = replica._store.term_at(index)
                known = self._committed.get(index)
                if known is not None and term != known[0] and self._committed_in[index] < replica.term:
                    raise ViolationError(f"{member} leads in term {replica.term} without the committed entry {index}")

    def _committed_alike(self, member: MemberId, replica: Replica) -> None:
        store = replica._store
        start = max(self._checked.get(member, 0), store.base[0]) + 1
        if start > replica.commit:
            return
        for entry in store.entries(start, 1 << 60, replica.commit - start + 1):
            self._committed_in.setdefault(entry.index, replica.term)
            known = self._committed.setdefault(entry.index, (entry.term, entry.command))
            if known != (entry.term, entry.command):
                raise ViolationError(f"{member} has committed another entry {entry.index} than somebody else")
        self._checked[member] = replica.commit
        self._highest = max(self._highest, replica.commit)

    def _applied_alike(self, member: MemberId, machine: Ledger) -> None:
        mine, all_ = machine.values, self._values
        common = min(len(mine), len(all_))
        if mine[max(0, common - 8) : common] != all_[max(0, common - 8) : common]:
            raise ViolationError(f"{member} has applied something else than somebody else before {common}")
        all_ += mine[common:]

    # the clients' history: every value has one place, so linearizability is a matter of comparing places

    def began(self) -> int:
        """Return what a call that begins now must see: the first free place behind all that was confirmed."""
        return self._free

    def confirmed_at(self, value: bytes, place: int, began: int) -> None:
        if place < began:
            raise ViolationError(
                f"{value!r} stands at {place}, and up to {began} all was confirmed when it was proposed"
            )
        if self.confirmed.setdefault(value, place) != place:
            raise ViolationError(f"{value!r} was confirmed at {place} and at {self.confirmed[value]}")
        self._free = max(self._free, place + 1)

    def read(self, length: int, began: int) -> None:
        self.reads += 1
        if length < began:
            raise ViolationError(f"a read saw {length} values, and {began} were confirmed before it began")

    def end(self, machines: Iterable[tuple[MemberId, Ledger]]) -> None:
        """Check that everybody has the same, with all that was confirmed, where it was confirmed, and nothing twice."""
        for member, machine in machines:
            values = machine.values
            if values != self._values:
                raise ViolationError(f"{member} ends with {len(values)} values, and {len(self._values)} were applied")
            if len(set(values)) != len(values):
                raise ViolationError("a request was carried out twice")
            for value, place in self.confirmed.items():
                if place >= len(values) or values[place] != value:
                    raise ViolationError(f"{value!r} was confirmed at {place} and is not there")
