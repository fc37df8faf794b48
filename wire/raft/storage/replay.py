"""What the changes in a log come to, read again from its oldest segment on."""

from __future__ import annotations

from wire.raft.storage.memory import Memory
from wire.raft.storage.records import Base, Change, Reset, State, Truncate
from wire.raft.storage.scanning import damaged
from wire.raft.types import Entry, Vote


class Replay:
    """A log as far as it was read.

    The oldest segment may begin in the middle: entries before it were dropped because a base in a later segment covers
    them. Until that base is read, `memory` begins behind the last entry before the oldest segment.
    """

    def __init__(self, start: State) -> None:
        """Begin with the state in the head of the oldest segment."""
        self.memory = Memory()
        self.memory.reset(*start.last)
        self.vote = start.vote
        self._base = start.base

    def apply(self, changes: list[Change], path: str) -> None:
        """Make changes again. Raises StorageError if they can't follow what was read before."""
        memory = self.memory
        for change in changes:
            match change:
                case Entry(index) if index == memory.last[0] + 1:
                    memory.append(change)
                case Truncate(first, term) if memory.base[0] < first <= memory.last[0]:
                    memory.truncate(first)
                case Truncate(first, term) if self._base[0] < first <= memory.last[0]:
                    memory.reset(first - 1, term)  # of entries that went with their segment
                case Base(index, term) if self._base[0] < index <= memory.last[0]:
                    self._base = (index, term)
                    if memory.base[0] < index:
                        memory.compact(index)
                case Reset(index, term):
                    self._base = (index, term)
                    memory.reset(index, term)
                case Vote():
                    self.vote = change
                case _:
                    damaged(
                        path, 0, f"a record can't be where it is: {type(change).__name__} behind entry {memory.last[0]}"
                    )

    def finish(self, path: str) -> None:
        """Check that no entry behind the base is missing; `path` is the oldest segment. Raises StorageError."""
        if self._base[0] < self.memory.base[0]:
            damaged(path, 0, f"the segment before it, with entries from {self._base[0] + 1} on, is missing")
