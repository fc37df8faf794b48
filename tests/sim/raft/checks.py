"""What must hold of the members after every step. What must hold of their answers is in `history`."""

from __future__ import annotations

from collections.abc import Iterable

from tests.sim.raft.machine import Ledger
from wire.raft.replica.replica import Replica
from wire.raft.types import Entry, MemberId


class ViolationError(Exception):
    """Something that must never happen did."""


class Checker:
    """Sees every change of a log, and every member after each of its steps."""

    def __init__(self) -> None:
        self._leaders: dict[int, MemberId] = {}
        self._entries: dict[tuple[int, int], tuple[bytes, int]] = {(0, 0): (b"", 0)}
        self._committed: dict[int, tuple[int, bytes]] = {}
        self._committed_in: dict[int, int] = {}
        self._highest = 0
        self._values: list[bytes] = []
        self._checked: dict[MemberId, int] = {}
        self._applied: dict[MemberId, tuple[list[bytes], int]] = {}
        self._seen: dict[MemberId, tuple[int, int, int]] = {}
        self.elections = 0

    def restarted(self, member: MemberId) -> None:
        self._checked.pop(member, None)
        self._seen.pop(member, None)

    @property
    def newest_term(self) -> int:
        """The last term in which somebody led."""
        return max(self._leaders, default=0)

    # logs, as they change

    def appended(self, member: MemberId, previous_term: int, entry: Entry) -> None:
        """Check log matching: whoever has an entry of that index and term has the same one, behind one of that term.

        So what is before it is the same, too, entry by entry down to the first.
        """
        mine = (entry.command, previous_term)
        if self._entries.setdefault((entry.index, entry.term), mine) != mine:
            raise ViolationError(f"{member} has another entry {entry.index} of term {entry.term} than somebody else")

    def begins_behind(self, member: MemberId, index: int, term: int) -> None:
        """Check that a log begins behind an entry that there was, and not before what is committed in it."""
        if (index, term) not in self._entries:
            raise ViolationError(f"the log of {member} begins behind entry {index} of term {term}: there was none")
        self.dropped(member, index + 1)

    def dropped(self, member: MemberId, first: int) -> None:
        """Check that nothing that is committed leaves a log for something else."""
        if first <= self._checked.get(member, 0):
            raise ViolationError(f"{member} has committed entry {first}, and drops it")

    # members, after each step

    def step(self, member: MemberId, replica: Replica, machine: Ledger) -> None:
        """Check one leader per term, leader completeness, and that all have committed and applied the same."""
        commit, (last, _) = replica.commit, replica._store.last
        if commit > last:
            raise ViolationError(f"{member} has committed {commit}, and its log ends at {last}")
        if replica.applied > commit:
            raise ViolationError(f"{member} has applied {replica.applied} of {commit}")
        if replica.is_leader:
            self._leads(member, replica)
        now = (replica.term, commit, len(machine.values))  # what was committed can't be replaced: `dropped`
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
        before, start = self._applied.get(member, (None, 0))
        if before is not mine:
            start = 0  # it began anew, or installed a snapshot
        common = min(len(mine), len(all_))
        if mine[start:common] != all_[start:common]:
            raise ViolationError(f"{member} has applied something else than somebody else before {common}")
        all_ += mine[common:]
        self._applied[member] = mine, len(mine)

    def end(self, machines: Iterable[tuple[MemberId, Ledger]]) -> None:
        """Check that everybody has all that anybody has applied."""
        for member, machine in machines:
            if machine.values != self._values:
                raise ViolationError(
                    f"{member} ends with {len(machine.values)} values, and {len(self._values)} were applied"
                )
