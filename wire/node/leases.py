"""Who may be taken to be alive: leases that nodes renew with the leader, not through the log.

A node counts its lease from when it *sent* the renewal, the leader from when that arrived: so the leader never takes
work away from a node that still believes to have it. Both count on a clock that goes on while the machine is suspended
or the process is stopped (`awake`); the two need not agree on what time it is. Leases only limit how long two nodes may
do the same work; that an older epoch changes nothing is seen to elsewhere (I4).
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from wire.cluster.scheduler import Liveness
from wire.cluster.state import NodeName

LEASE_MS = 4000
"""How long a node may go on without being heard: a few heartbeats, and well below what people call an outage."""


def awake() -> int:
    """Return milliseconds on the clock that leases are counted on. Only differences mean anything."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class OwnLease:
    """A node's own: whether it may still run what it was given."""

    def __init__(self, lease_ms: int = LEASE_MS) -> None:
        """Begin without one."""
        self._lease_ms = lease_ms
        self._until: int | None = None

    def renewed(self, sent: int) -> None:
        """Learn that the leader took a renewal that was sent at `sent`. One that comes late changes nothing."""
        until = sent + self._lease_ms
        self._until = until if self._until is None else max(self._until, until)

    def left_ms(self, now: int) -> int:
        """Return how long it still holds, 0 if it does not."""
        return 0 if self._until is None else max(0, self._until - now)


class LeaseTable:
    """What a leader knows of the nodes since it leads. Make a new one for each term."""

    def __init__(self, began: int, nodes: Iterable[NodeName], lease_ms: int = LEASE_MS) -> None:
        """Take all these for alive for one lease: an earlier leader may have renewed theirs just before."""
        self._lease_ms = lease_ms
        self._heard = dict.fromkeys(nodes, began)
        self._since = dict(self._heard)

    def renew(self, node: NodeName, now: int) -> None:
        """Learn that a renewal arrived."""
        if not self.is_alive(node, now):
            self._since[node] = now
        self._heard[node] = now

    def forget(self, node: NodeName) -> None:
        """Learn that a node is none any more, or that another incarnation has taken its name."""
        self._heard.pop(node, None)
        self._since.pop(node, None)

    def is_alive(self, node: NodeName, now: int) -> bool:
        """Return whether its lease may still hold."""
        heard = self._heard.get(node)
        return heard is not None and now - heard < self._lease_ms

    def alive(self, now: int) -> dict[NodeName, int]:
        """Return since when those who are alive have been so without a break, as far as this leader knows."""
        return {node: since for node, since in self._since.items() if self.is_alive(node, now)}

    def leases(self) -> dict[NodeName, Liveness]:
        """Return what the scheduler is to know, also of those whose lease is over."""
        return {node: Liveness(self._since[node], heard) for node, heard in self._heard.items()}

    def silent_ms(self, node: NodeName, now: int) -> int | None:
        """Return how long nothing was heard of a node, None if it was never heard of."""
        heard = self._heard.get(node)
        return None if heard is None else now - heard
