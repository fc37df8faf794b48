"""What the scheduler is told of a node's lease."""

from __future__ import annotations

from msgspec import Struct


class Liveness(Struct, frozen=True):
    """A lease: held without a break since `since_ms`, renewed last at `renewed_ms`.

    The two are the same until it is renewed for the first time. A leader that has just begun grants one to every node:
    some of them may be dead by then.
    """

    since_ms: int
    renewed_ms: int

    @property
    def is_renewed(self) -> bool:
        """Whether the node was heard while it held the lease."""
        return self.renewed_ms > self.since_ms

    def is_held(self, now_ms: int, lease_ms: int) -> bool:
        """Say whether the lease is not over yet."""
        return now_ms - self.renewed_ms < lease_ms
