"""What the two LogStores have in common: all of the log is held in memory, and changes wait there for the next sync."""

from __future__ import annotations

from collections.abc import Sequence

from wire.raft.storage.errors import StorageError
from wire.raft.storage.memory import Memory
from wire.raft.storage.records import MAX_COMMAND, Base, Change, Reset, Truncate
from wire.raft.types import Entry, Vote


class HeldLog:
    """Reads, and changes that are checked and put in order for `sync`, which a subclass adds.

    Changes raise ValueError where they can't follow what is there, and StorageError once `_failure` is set.
    """

    def __init__(self, memory: Memory, vote: Vote, pending: list[Change]) -> None:
        """Begin with what was read; `pending` changes are in it, and are to be synced."""
        self._memory = memory
        self._vote = vote
        self._pending = pending
        self._failure: StorageError | None = None

    @property
    def base(self) -> tuple[int, int]:  # noqa: D102 (contract in LogStore)
        return self._memory.base

    @property
    def last(self) -> tuple[int, int]:  # noqa: D102 (contract in LogStore)
        return self._memory.last

    @property
    def vote(self) -> Vote:  # noqa: D102 (contract in LogStore)
        return self._vote

    @property
    def dirty(self) -> bool:  # noqa: D102 (contract in LogStore)
        return bool(self._pending)

    @property
    def size(self) -> int:  # noqa: D102 (contract in LogStore)
        return self._memory.size

    def term_at(self, index: int) -> int | None:  # noqa: D102 (contract in LogStore)
        return self._memory.term_at(index)

    def entries(self, first: int, max_bytes: int, max_count: int = 1 << 30) -> Sequence[Entry]:  # noqa: D102 (contract in LogStore)
        return self._memory.entries(first, max_bytes, max_count)

    def append(self, entry: Entry) -> None:  # noqa: D102 (contract in LogStore)
        self._check()
        if entry.index != self.last[0] + 1:
            raise ValueError(f"entry {entry.index} can't follow entry {self.last[0]}")
        if len(entry.command) > MAX_COMMAND:
            raise ValueError(f"entry {entry.index} has {len(entry.command)} bytes, more than {MAX_COMMAND}")
        self._memory.append(entry)
        self._pending.append(entry)

    def truncate(self, first: int) -> None:  # noqa: D102 (contract in LogStore)
        self._check()
        if first <= self.base[0]:
            raise ValueError(f"entry {first} can't be dropped: the log begins behind {self.base[0]}")
        if first > self.last[0]:
            return
        self._memory.truncate(first)
        self._pending.append(Truncate(first, self.last[1]))

    def set_vote(self, vote: Vote) -> None:
        """Remember a term, never lower than before, and the vote in it, which is never taken back."""
        self._check()
        if vote == self._vote:
            return
        if vote.term < self._vote.term or (vote.term == self._vote.term and self._vote.candidate is not None):
            raise ValueError(f"{vote} can't follow {self._vote}")
        self._vote = vote
        self._pending.append(vote)

    def compact(self, index: int) -> None:
        """Make an entry the new base, once a snapshot that covers it is durable; one below the base is no news.

        Returns quickly whatever the length of the log; memory and disk are given back bit by bit with later calls.
        """
        self._check()
        if index <= self.base[0]:
            return
        if index > self.last[0]:
            raise ValueError(f"entry {index} can't be the base: the last is {self.last[0]}")
        self._memory.compact(index)
        self._pending.append(Base(*self.base))

    def reset(self, index: int, term: int) -> None:  # noqa: D102 (contract in LogStore)
        self._check()
        self._memory.reset(index, term)
        self._pending.append(Reset(index, term))

    def _check(self) -> None:
        if self._failure is not None:
            failure = self._failure
            raise StorageError(failure.code, failure.message, hint=failure.hint) from failure
