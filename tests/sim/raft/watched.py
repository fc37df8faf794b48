"""The log of a simulated member, each of whose changes the checker sees as it is made."""

from __future__ import annotations

from tests.sim.disk import SimulatedFiles
from tests.sim.raft.checks import Checker
from wire.raft.storage.wal import WriteAheadLog
from wire.raft.types import Entry, MemberId


class WatchedLog(WriteAheadLog):
    """A log whose changes raise ViolationError where the checker does not allow them."""

    def __init__(self, files: SimulatedFiles, owner: bytes, member: MemberId, checker: Checker) -> None:
        super().__init__(files, owner)
        self._member = member
        self._checker = checker
        checker.begins_behind(member, *self.base)
        previous = self.base[1]
        for entry in self.entries(self.base[0] + 1, 1 << 60):
            checker.appended(member, previous, entry)
            previous = entry.term

    def append(self, entry: Entry) -> None:
        self._checker.appended(self._member, self.last[1], entry)
        super().append(entry)

    def truncate(self, first: int) -> None:
        self._checker.dropped(self._member, first)
        super().truncate(first)

    def reset(self, index: int, term: int) -> None:
        self._checker.begins_behind(self._member, index, term)
        super().reset(index, term)
