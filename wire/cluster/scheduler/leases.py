"""Which nodes hold their lease, as the leader sees it, on a clock that no step of wall time touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from wire.cluster.state import NodeName


class Liveness(Struct, frozen=True):
    """One node's lease: renewed last at `renewed_ms`, and held without a break since `since_ms`.

    `since_ms` is None for a node that this leader has granted one without having heard it: it may be dead by now.
    """

    since_ms: int | None
    renewed_ms: int

    def is_held(self, now_ms: int, lease_ms: int) -> bool:
        """Say whether the lease is not over yet."""
        return now_ms - self.renewed_ms < lease_ms


class Leases:
    """The leases one leader has granted. Who begins to lead makes new ones: its clock is not the other's.

    A node counts its lease from when it sends a renewal, the leader from when it gets it: so the node is always the
    first to know that it is over. All times are milliseconds of the leader's monotonic clock.
    """

    def __init__(self, nodes: Iterable[NodeName], now_ms: int, lease_ms: int) -> None:
        """Grant one to every node there is: what it got from the leader of before may last that long (I4)."""
        self._lease_ms = lease_ms
        self._granted = {node: Liveness(None, now_ms) for node in nodes}

    @property
    def granted(self) -> Mapping[NodeName, Liveness]:
        """Every lease ever granted to a node that was not dropped, over or not."""
        return self._granted

    def renew(self, node: NodeName, now_ms: int) -> None:
        """Learn that a node was heard. One that comes too late begins anew."""
        before = self._granted.get(node)
        held = before is not None and before.is_held(now_ms, self._lease_ms)
        since_ms = before.since_ms if before is not None and held else None
        self._granted[node] = Liveness(now_ms if since_ms is None else since_ms, now_ms)

    def drop(self, node: NodeName) -> None:
        """Forget a node that is no member any more."""
        self._granted.pop(node, None)
