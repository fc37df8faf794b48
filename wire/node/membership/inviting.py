"""A node that waits for a cluster is found by one: the leader asks who it is, lets it in, and tells it so."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from wire.core.errors import FatalError
from wire.node.calls import WELCOME, Invitation, Welcomed
from wire.node.data_dir import DataDir
from wire.node.rpc.messages import Caller
from wire.node.rpc.server import RpcServer
from wire.raft.threads import in_thread

log = structlog.get_logger()


class Inviting:
    """Answers an invitation to a cluster, while this node has none."""

    def __init__(self, data: DataDir) -> None:
        """Be the node of that folder. On the event loop."""
        self._data = data
        self._invited: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._entered = asyncio.Event()

    def answer(self, rpc: RpcServer) -> None:
        """Answer whoever has a certificate of the same authority."""
        rpc.handle(WELCOME, self._welcome)

    async def cluster(self, own_way: Coroutine[Any, Any, str]) -> str:
        """Return the cluster this node belongs to, once it does: by its own way into one, or invited, if that is first.

        Which one is on disk then.
        """
        async with asyncio.TaskGroup() as tasks:
            entering = tasks.create_task(own_way)
            await asyncio.wait({entering, self._invited}, return_when=asyncio.FIRST_COMPLETED)
            if not entering.done():
                entering.cancel()
        if entering.cancelled():
            cluster = self._invited.result()
            await in_thread(self._data.found_cluster, cluster)
            log.info("cluster_joined", cluster=cluster, through="an invitation")
        else:
            cluster = entering.result()
        self._entered.set()
        return cluster

    async def _welcome(self, invitation: Invitation, _: Caller) -> Welcomed:
        """Answer once the cluster is remembered."""
        if self._data.identity.cluster is None and not self._invited.done():
            self._invited.set_result(invitation.cluster)
        await self._entered.wait()
        if self._data.identity.cluster != invitation.cluster:
            message = f"{self._data.identity.name} belongs to the cluster {self._data.identity.cluster} already"
            raise FatalError("cluster.has_cluster", message)
        return Welcomed()
