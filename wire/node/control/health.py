"""Whether this node can do its work, as `wire.api.ports.Health`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wire.api.views import Check
from wire.raft import RaftNode, Role

_SYNC_S: Final = 5.0
_CATCH_UP_S: Final = 1.0


class HealthService:
    """Looks at consensus. Nothing about pipelines counts: a node whose pipelines fail still does its work."""

    def __init__(self, node: RaftNode) -> None:
        """Look at `node`."""
        self._node = node
        self._caught_up = False  # since it started: before that it may not know what it confirmed itself (I7)

    async def ready(self, *, sync: bool) -> Sequence[Check]:  # noqa: D102 (contract in the port)
        status, trouble = self._node.status(), self._node.trouble
        member = status.role is not Role.REMOVED
        lacking = "" if trouble is None else trouble.message
        if not (self._caught_up or lacking or status.leader is None):
            self._caught_up = await self._node.read_barrier(_CATCH_UP_S)
            lacking = "" if self._caught_up else "it has not caught up since the node started"
        checks = [
            Check(name="node", ok=member, message="" if member else "it was removed from the cluster"),
            Check(name="leader", ok=status.leader is not None, message="" if status.leader else "none is known"),
            Check(name="store", ok=not lacking, message=lacking),
        ]
        if sync:
            synced = await self._node.read_barrier(_SYNC_S)
            message = "" if synced else f"not everything that is confirmed was here within {_SYNC_S:g} s"
            checks.append(Check(name="sync", ok=synced, message=message))
        return checks
