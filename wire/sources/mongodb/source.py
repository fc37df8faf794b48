"""The MongoDB source: connects, checks what can be checked, and opens the one reader there is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from wire.clients.mongodb_client import Client, Deployment, close, connect
from wire.clients.mongodb_errors import ERRORS, SOURCE
from wire.core.formats import JsonFormat
from wire.core.plugins import ComponentContext
from wire.core.records import Fingerprint, PartitionId, Position
from wire.sources.mongodb import MongoSourceConfig
from wire.sources.mongodb.errors import explain, missing, not_replicated
from wire.sources.mongodb.position import MongoPosition, SnapshotState, pack_token
from wire.sources.mongodb.reader import MongoReader
from wire.sources.mongodb.stream import cluster_time, now
from wire.sources.mongodb.watched import Watched


class MongoSource:
    """Collections of one deployment, in one partition: a change stream has one order."""

    max_readers: int | None = 1

    def __init__(self, config: MongoSourceConfig, context: ComponentContext) -> None:
        """Make a source; nothing is connected yet."""
        self.format = JsonFormat()
        self._config = config
        self._context = context
        self._watched = Watched(config)
        self._lock = asyncio.Lock()
        self._connection: tuple[Client, Deployment] | None = None

    def fingerprint(self) -> Fingerprint:
        """Identify the collections. Which deployment a position is of, its token says to the servers."""
        return Fingerprint(f"mongodb:{self._watched.id}".encode())

    async def partitions(self) -> Sequence[PartitionId]:
        """Return the one partition. Raises UnavailableError where there are no change streams."""
        await self._connected()
        return [PartitionId(self._watched.id)]

    async def open(self, partition: PartitionId, resume: Position | None) -> MongoReader:
        """Open the partition. Without `resume`, raises UnavailableError for collections that are not there."""
        client, deployment = await self._connected()
        place = MongoPosition.decode(resume) if resume is not None else await self._start(client)
        end = None
        if self._context.bounded:
            end = place.offset if resume is None else await self._end(client)
        told = resume is not None
        return MongoReader(client, deployment, self._config, self._context, place=place, end=end, told=told)

    async def close(self) -> None:
        """Disconnect. Idempotent."""
        async with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection[0])

    async def _connected(self) -> tuple[Client, Deployment]:
        async with self._lock:
            if self._connection is None:
                client, deployment = await connect(self._config, SOURCE)
                if not deployment.replicated:
                    await close(client)
                    raise not_replicated()
                self._connection = client, deployment
            return self._connection

    async def _start(self, client: Client) -> MongoPosition:
        """Return the place to begin: the stream's, taken before anything is read, with all of the snapshot left."""
        offset, token = await now(client, self._watched)
        if self._watched.named:
            try:
                found = await self._watched.collections(client)
            except ERRORS as exc:
                raise explain(exc, f"listing the collections of {self._watched.id}") from exc
            if names := self._watched.missing(found):
                raise missing(names, self._config.database or "", found)
        snapshot = SnapshotState() if self._config.snapshot == "initial" else None
        return MongoPosition(pack_token(token), offset, snapshot=snapshot)

    async def _end(self, client: Client) -> int:
        try:
            return await cluster_time(client)
        except ERRORS as exc:
            raise explain(exc, "asking for the cluster time") from exc
