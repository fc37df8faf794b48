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
        """Look at `node`, which has just started: it is not ready before it knows again what it knew before."""
        self._node = node
        self._caught_up = False

    async def ready(self, *, sync: bool) -> Sequence[Check]:  # noqa: D102 (contract in the port)
        status, trouble = self._node.status(), self._node.trouble
        member = status.role is not Role.REMOVED
        store = "" if trouble is None else trouble.message
        if member and status.leader is not None and not store and not self._caught_up:
            self._caught_up = await self._node.read_barrier(_CATCH_UP_S)
            store = "" if self._caught_up else "what was confirmed before it started is not all here yet"
        checks = [
            Check(name="node", ok=member, message="" if member else "it was removed from the cluster"),
            Check(name="leader", ok=status.leader is not None, message="" if status.leader else "none is known"),
            Check(name="store", ok=not store, message=store),
        ]
        if sync:
            synced = await self._node.read_barrier(_SYNC_S)
            message = "" if synced else f"not everything that is confirmed was here within {_SYNC_S:g} s"
            checks.append(Check(name="sync", ok=synced, message=message))
        return checks
