"""The Kafka source: topics to partitions, partitions to readers."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence

import structlog

from wire.clients.kafka_cluster import KafkaCluster, connect
from wire.clients.kafka_errors import SOURCE, no_match
from wire.clients.kafka_metadata import Topic
from wire.clients.kafka_offsets import EARLIEST, LATEST, Isolation, list_offset
from wire.core.plugins import ComponentContext
from wire.core.ports import Lag, ReadLimit
from wire.core.records import Batch, Fingerprint, PartitionId, Position
from wire.sources.kafka import KafkaSourceConfig
from wire.sources.kafka.fetcher import Fetcher
from wire.sources.kafka.groups import Group
from wire.sources.kafka.partition import Partition, decode_position, position_lost
from wire.sources.kafka.progress import Progress

log = structlog.get_logger(__name__)


class KafkaSource:
    """Topics of one cluster. All readers share one set of connections, made with the first question."""

    max_readers: int | None = None

    def __init__(self, config: KafkaSourceConfig, context: ComponentContext) -> None:
        """Make a source; nothing is connected yet."""
        self.format = config.format
        self._config = config
        self._context = context
        self._isolation = Isolation[config.isolation.upper()]
        self._lock = asyncio.Lock()
        self._shared: _Shared | None = None
        self._topics: dict[str, Topic] = {}
        self._at_first: frozenset[PartitionId] | None = None

    def fingerprint(self) -> Fingerprint:
        """Identify the topics. Which creation of its topic a position is of, it says itself."""
        names = self._config.names()
        what = f"/{self._config.topic_pattern}/" if names is None else ",".join(sorted(set(names)))
        return Fingerprint(f"kafka:{what}".encode())

    async def partitions(self) -> Sequence[PartitionId]:
        """Return the partitions of all topics there are now, as `topic/number`.

        Raises UnavailableError for a topic that is missing or may not be read, and for a pattern that matches none
        where the source is bounded; otherwise one may come.
        """
        cluster = (await self._connected()).cluster
        names = self._config.names()
        if names is not None:
            self._topics = await cluster.require(names)
        else:
            self._topics = self._matching(await cluster.topics(None))
        found = [
            PartitionId(f"{name}/{n}") for name in sorted(self._topics) for n in sorted(self._topics[name].leaders)
        ]
        if self._at_first is None:
            self._at_first = frozenset(found)
        return found

    async def open(self, partition: PartitionId, resume: Position | None) -> KafkaReader:
        """Open a partition. Raises FatalError when its topic is not the one that `resume` is of."""
        shared = await self._connected()
        topic, _, number = partition.rpartition("/")
        topic_id = await self._topic_id(shared.cluster, topic)
        if resume is None:
            start = await self._start(shared.cluster, partition)
        else:
            start, known_id = decode_position(resume)
            if known_id and topic_id and known_id != topic_id:
                raise position_lost(partition, "the topic was deleted and created anew, or is in another cluster")
        end = None
        if self._context.bounded:
            end = await self._offset(shared.cluster, topic, int(number), LATEST)
            if start > end:
                await self._check_there(shared.cluster, partition, start)
        # where `latest` was must be known after a restart even if nothing came: hence a first batch that tells it
        announce = resume is None and self._config.start != "earliest"
        opened = Partition(topic, int(number), start, end, topic_id, announce=announce)
        shared.fetcher.add(opened)
        return KafkaReader(opened, shared.fetcher, shared.progress)

    async def close(self) -> None:
        """Stop fetching, publish progress a last time, and disconnect. Idempotent."""
        async with self._lock:
            shared, self._shared = self._shared, None
        if shared is not None:
            await shared.close()

    def _matching(self, every: dict[str, Topic]) -> dict[str, Topic]:
        """Return the topics that the pattern matches. Where there is none, raise or, the first time, say so."""
        pattern = self._config.pattern()
        readable = {name: topic for name, topic in every.items() if not topic.internal}
        found = {name: topic for name, topic in readable.items() if pattern.fullmatch(name)}
        if not found and self._context.bounded:
            raise no_match(SOURCE, str(self._config.topic_pattern), next(filter(pattern.search, readable), None))
        if not found and self._at_first is None:
            log.warning("no_topic_matches_yet", pattern=self._config.topic_pattern)
        return found

    async def _connected(self) -> _Shared:
        async with self._lock:
            if self._shared is None:
                self._shared = _Shared(
                    await connect(self._config, SOURCE), self._config, self._context, self._isolation
                )
            return self._shared

    async def _topic_id(self, cluster: KafkaCluster, name: str) -> bytes | None:
        if name not in self._topics:
            self._topics |= await cluster.require([name])
        return self._topics[name].id

    async def _start(self, cluster: KafkaCluster, partition: PartitionId) -> int:
        topic, _, digits = partition.rpartition("/")
        number = int(digits)
        start = self._config.start
        if start == "group":
            recorded = await Group(cluster, str(self._config.group)).fetch(topic, number)
            if recorded is not None:
                return recorded
        if isinstance(start, datetime.datetime):
            found = await list_offset(cluster, topic, number, int(start.timestamp() * 1000), self._isolation)
            return found if found is not None else await self._offset(cluster, topic, number, LATEST)
        # a partition that appears while we run holds nothing that was there before `latest`
        late = self._at_first is not None and partition not in self._at_first
        return await self._offset(cluster, topic, number, LATEST if start == "latest" and not late else EARLIEST)

    async def _check_there(self, cluster: KafkaCluster, partition: PartitionId, start: int) -> None:
        """Raise FatalError where there is no such offset yet; it may lie behind the begin of an open transaction."""
        topic, _, number = partition.rpartition("/")
        end = await list_offset(cluster, topic, int(number), LATEST, Isolation.READ_UNCOMMITTED) or 0
        if start > end:
            raise position_lost(partition, f"offset {start} is not there: the topic has lost its end, now {end}")

    async def _offset(self, cluster: KafkaCluster, topic: str, number: int, at: int) -> int:
        return await list_offset(cluster, topic, number, at, self._isolation) or 0


class _Shared:
    """What the readers of one source have in common while it is connected."""

    def __init__(
        self, cluster: KafkaCluster, config: KafkaSourceConfig, context: ComponentContext, isolation: Isolation
    ) -> None:
        """Read from `cluster`."""
        self.cluster = cluster
        self.fetcher = Fetcher(cluster, isolation, config.prefetch.bytes, context.clock)
        self.progress = Progress(Group(cluster, config.group), context) if config.group else None

    async def close(self) -> None:
        """Let go of everything, within seconds."""
        await self.fetcher.close()
        if self.progress is not None:
            await self.progress.close()
        await self.cluster.close()


class KafkaReader:
    """Reads one partition."""

    def __init__(self, partition: Partition, fetcher: Fetcher, progress: Progress | None) -> None:
        """Read what `fetcher` brings for `partition`."""
        self._partition = partition
        self._fetcher = fetcher
        self._progress = progress
        self._read_ms: int | None = None

    async def read(self, limit: ReadLimit) -> Batch | None:
        """Return the next records in order of offset.

        A batch without records moves the position over offsets that hold none: transaction markers, aborted records,
        what compaction removed.
        """
        partition = self._partition
        while True:
            batch = partition.take(limit)
            if batch is not None:
                if batch.records:
                    self._read_ms = batch.records[-1].ts_ms
                return batch
            if partition.ended:
                return None
            partition.check()
            await partition.wait()

    async def release(self, upto: Position) -> None:
        """Publish progress to the consumer group, soon; Kafka's retention does not depend on it."""
        if self._progress is not None:
            offset, _ = decode_position(upto)
            self._progress.note((self._partition.topic, self._partition.number), offset)

    def lag(self) -> Lag:
        """Return how many offsets lie between here and the end, as of the last fetch."""
        return Lag(self._partition.lag(), event_ms=self._read_ms)

    async def close(self) -> None:
        """Stop fetching this partition. Idempotent."""
        self._fetcher.remove(self._partition)
