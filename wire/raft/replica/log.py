"""The log as the library wants to see it: a list of (command, index, term), beginning with the base."""

from __future__ import annotations

from typing import Any

from wire.raft.storage.ports import LogStore
from wire.raft.types import Entry, MemberId, Vote

NO_OP = b"\x01"

Row = tuple[bytes, int, int]


class LibraryLog:
    """A `LogStore` in the place of the library's journal.

    Only what the replica leaves of the library's methods is there: whatever else would be asked for is an error.
    """

    def __init__(self, store: LogStore) -> None:
        """Show `store`."""
        self.end: int | None = None
        """Up to where the library is to look, None for all that there is."""
        self._store = store

    def __getitem__(self, place: int | slice) -> Any:
        store = self._store
        if place == -1:
            return (b"", *store.last) if self.end is None else (b"", self.end, store.term_at(self.end))
        if place == 0:
            return b"", *store.base
        if isinstance(place, slice) and place.start is not None and place.stop == place.start + 1:
            index = store.base[0] + place.start
            term = store.term_at(index)
            return [] if term is None else [(b"", index, term)]  # the commit rule asks for the term alone
        raise IndexError(place)

    def add(self, command: bytes, index: int, term: int) -> None:
        """Append an entry."""
        self._store.append(Entry(index, term, command))

    def setRaftCommitIndex(self, _index: int) -> None:  # noqa: N802 (the library's name)
        """Do nothing: what is committed is learned from the leader, or by being it."""

    def setCurrentTerm(self, term: int, voted_for: str | None) -> None:  # noqa: N802 (the library's name)
        """Remember term and vote."""
        self._store.set_vote(Vote(term, MemberId(voted_for) if voted_for is not None else None))

    def onOneSecondTimer(self) -> None:  # noqa: N802 (the library's name)
        """Do nothing."""
