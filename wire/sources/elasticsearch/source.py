"""The Elasticsearch source: names to shards, shards to readers."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from wire.clients.elasticsearch_cluster import ElasticsearchCluster, connect
from wire.clients.elasticsearch_errors import SOURCE
from wire.core.errors import UnavailableError
from wire.core.formats import Format, JsonFormat
from wire.core.plugins import ComponentContext
from wire.core.records import Fingerprint, PartitionId, Position
from wire.sources.elasticsearch import ElasticsearchSourceConfig
from wire.sources.elasticsearch.position import ShardPosition
from wire.sources.elasticsearch.reader import ShardReader
from wire.sources.elasticsearch.shards import Shard, find, position_lost
from wire.sources.elasticsearch.view import View

_MAX_READERS: Final = 4


class ElasticsearchSource:
    """The shards of some indices, each a partition named `index/number`. All readers share one set of connections."""

    format: Format = JsonFormat()
    max_readers: int | None = _MAX_READERS

    def __init__(self, config: ElasticsearchSourceConfig, context: ComponentContext) -> None:
        """Make a source; nothing is connected yet."""
        self._config = config
        self._clock = context.clock
        self._lock = asyncio.Lock()
        self._cluster: ElasticsearchCluster | None = None
        self._shards: dict[PartitionId, Shard] = {}
        self._refreshed: set[str] = set()
        self._readers: list[ShardReader] = []

    def fingerprint(self) -> Fingerprint:
        """Identify what is asked for. Which creation of its index a position is of, it says itself."""
        asked = msgspec.json.encode([sorted(set(self._config.names)), self._config.query], order="deterministic")
        return Fingerprint(hashlib.blake2b(b"elasticsearch:" + asked, digest_size=16).digest())

    async def partitions(self) -> Sequence[PartitionId]:
        """Return the shards of all indices there are now. Raises UnavailableError where there is none."""
        names = self._config.names
        shards = await find(await self._connected(), names, self._config.query)
        if not shards:
            message = f"no index is called {' or '.join(f'`{name}`' for name in names)}"
            hint = "check the name, and that the user may see the index"
            raise UnavailableError(SOURCE.missing_index, message, hint=hint)
        self._shards = {PartitionId(shard.name): shard for shard in shards}
        return list(self._shards)

    async def open(self, partition: PartitionId, resume: Position | None) -> ShardReader:
        """Open a shard. Raises FatalError when its index is not the one that `resume` is of."""
        cluster = await self._connected()
        if partition not in self._shards:
            await self.partitions()
        shard = self._shards.get(partition)
        if shard is None:
            message = f"there is no shard {partition} any more"
            raise UnavailableError(SOURCE.missing_index, message, hint="start over with --reset")
        after = -1
        if resume is not None:
            position = ShardPosition.decode(resume)
            if position.uuid != shard.uuid:
                raise position_lost(shard.name)
            after = position.seq_no
        await self._refresh(cluster, shard.index)
        view = View(cluster, shard, self._config.keep_alive.ms)
        reader = ShardReader(view, shard, after, self._config, self._clock)
        self._readers.append(reader)
        return reader

    async def close(self) -> None:
        """Close what readers are open, and disconnect. Idempotent."""
        async with self._lock:
            readers, self._readers = self._readers, []
            await asyncio.gather(*(reader.close() for reader in readers))
            cluster, self._cluster = self._cluster, None
            if cluster is not None:
                await cluster.close()

    async def _connected(self) -> ElasticsearchCluster:
        async with self._lock:
            if self._cluster is None:
                self._cluster = await connect(self._config, SOURCE, connections=_MAX_READERS)
            return self._cluster

    async def _refresh(self, cluster: ElasticsearchCluster, index: str) -> None:
        """Have every copy of every shard show what was written before now, where that is allowed."""
        if index not in self._refreshed:
            self._refreshed.add(index)
            await cluster.request("POST", f"/{quote(index)}/_refresh", doing=f"refreshing {index}")
