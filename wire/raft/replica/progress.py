"""How far a leader is with one peer: what to send next, and how much may be under way."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from wire.raft.storage.ports import SnapshotInfo

MAX_IN_FLIGHT: Final = 16


class Progress(Struct):
    """Of one peer. It is sent one message at a time until one was taken (`probing`), then up to a window's worth.

    `next_index` is the first entry that was not sent; `in_flight` the last index of each message that has no answer;
    `sent_at` when the last message went, `heard_at` when the last answer came; `urgent` that it is to get entries as
    soon as there are any. Messages of a round before `since` went before one was refused: that they are refused, too,
    says nothing of what was sent afterwards. While a snapshot is sent, `snapshot` says which and `offset` how much of
    it was taken.
    """

    next_index: int
    sent_at: float
    heard_at: float
    urgent: bool = True
    probing: bool = True
    in_flight: list[int] = []
    snapshot: SnapshotInfo | None = None
    offset: int = 0
    since: int = 0

    @property
    def open(self) -> bool:
        """Whether another message with entries may be sent."""
        return len(self.in_flight) < (1 if self.probing else MAX_IN_FLIGHT)

    def sent(self, last: int, now: float) -> None:
        """Learn that entries up to `last` were sent."""
        self.next_index = last + 1
        self.in_flight.append(last)
        self.sent_at = now

    def taken(self, matched: int) -> None:
        """Learn that the peer's log is the leader's up to `matched`, which is more than was known."""
        self.probing = False
        self.in_flight = [last for last in self.in_flight if last > matched]
        self.next_index = max(self.next_index, matched + 1)

    def refused(self, matched: int, hint: int) -> None:
        """Learn that what was sent did not fit: begin again at `hint`, but never before what is known to match."""
        self.probing = True
        self.in_flight = []
        self.next_index = max(matched + 1, min(self.next_index, hint))

    def lost(self, matched: int) -> None:
        """Take what is under way for lost: begin again behind what is known to match."""
        self.probing = True
        self.in_flight = []
        self.next_index = matched + 1
        self.snapshot = None
