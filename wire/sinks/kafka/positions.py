"""The topic that says how far pipelines are: written in the same transactions as their records, so it is the truth.

It is compacted: a row for each partition of a source, with its newest checkpoint, and one for each start of a task,
with what that reads, until it has ended. All rows of a pipeline are in one of its first partitions.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

import msgspec
from aiokafka import errors
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateTopicsRequest, DescribeConfigsRequest
from msgspec import Struct

from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import SINK, translate
from wire.clients.kafka_metadata import Topic
from wire.clients.kafka_offsets import Isolation
from wire.clients.kafka_reading import read_table
from wire.core.errors import UnavailableError
from wire.core.ports import Lineage
from wire.core.records import Checkpoint, PartitionId, PartitionKey, Record
from wire.sinks.kafka.lane import Target
from wire.sinks.kafka.partitioner import murmur2

PARTITIONS: Final = 16
_REPLICAS: Final = 3
_CONFIGURATION: Final = {
    "cleanup.policy": "compact",
    # what is written last is not compacted before its segment is full: a start has to read that much
    "segment.bytes": str(16 << 20),
    "min.cleanable.dirty.ratio": "0.1",
}
_CREATE_TIMEOUT_MS: Final = 10_000
_MADE_S: Final = 8.0
_AGAIN_S: Final = 0.1
_TOPIC_RESOURCE: Final = 2
_HASH: Final = 8


class _Kind(enum.StrEnum):
    POSITION = "position"
    START = "start"


class Start(Struct, frozen=True):
    """One start of a task: what it reads, None for all there is, under which transactional id it writes.

    Partitions are told by hashes, one behind the other: there may be so many that their names fit into no record.
    """

    epoch: int
    transactional_id: str
    share: bytes | None

    def overlaps(self, other: Start) -> bool:
        """Say whether both read some partition."""
        return self.share is None or other.share is None or not _hashes(self.share).isdisjoint(_hashes(other.share))


def hashed(share: Iterable[PartitionKey]) -> bytes:
    """Return what stands for partitions in a `Start`."""
    return b"".join(blake2b(msgspec.json.encode(key), digest_size=_HASH).digest() for key in share)


def _hashes(share: bytes) -> set[bytes]:
    return {share[at : at + _HASH] for at in range(0, len(share), _HASH)}


class Row(Struct, frozen=True):
    """How far a partition is, as the pipeline of that birth has committed it."""

    born: int
    checkpoint: Checkpoint


class Table(Struct, frozen=True):
    """What is known of one pipeline, and of those that had its name before."""

    rows: dict[PartitionKey, Row]
    starts: list[Start]


class Positions:
    """The rows of one pipeline, which its `lineage` tells from all others."""

    def __init__(self, cluster: KafkaCluster, topic: str, lineage: Lineage) -> None:
        """Read and write rows; nothing is asked yet."""
        self._cluster = cluster
        self._topic = topic
        self._lineage = lineage
        self.target: Target = (topic, murmur2(lineage.name.encode()) % PARTITIONS)

    async def require(self) -> None:
        """See to it that the topic is there and keeps what is newest; make it where it is not.

        Raises UnavailableError with what to do about it, RetryableError.
        """
        known = await self._known()
        if known.error is errors.UnknownTopicOrPartitionError:
            await self._create()
            known = await self._known(until_s=asyncio.get_running_loop().time() + _MADE_S)
        if known.error is not None:
            raise translate(known.error(), SINK, f"looking up topic `{self._topic}`")
        if len(known.leaders) < PARTITIONS:
            message = f"the topic `{self._topic}` has {len(known.leaders)} partitions, and {PARTITIONS} are needed"
            raise UnavailableError("sink.kafka.positions_topic", message, hint="give it more, or name another one")
        policy = await self._policy()
        if policy is not None and "delete" in policy.split(","):
            message = f"the topic `{self._topic}` forgets: its cleanup.policy is {policy}"
            raise UnavailableError("sink.kafka.positions_topic", message, hint="set it to compact, or name another one")

    async def read(self, isolation: Isolation, patience_s: float) -> Table:
        """Return what the topic says now; errors as `read_table` has them."""
        table = Table({}, [])
        for record in (await read_table(self._cluster, *self.target, isolation, patience_s)).values():
            if record.key is None or record.value is None:
                continue
            try:
                self._put(table, msgspec.json.decode(record.key), record.value)
            except msgspec.MsgspecError as exc:
                message = f"the topic `{self._topic}` holds something else than positions"
                raise UnavailableError("sink.kafka.positions_topic", message, hint="name one of Wire's own") from exc
        return table

    def _put(self, table: Table, key: Any, value: bytes) -> None:
        match key:
            case [_Kind.POSITION, self._lineage.name, str(source), str(partition)]:
                table.rows[PartitionKey(source, PartitionId(partition))] = _ROW.decode(value)
            case [_Kind.START, self._lineage.name, _]:
                table.starts.append(_STARTED.decode(value))

    def position(self, key: PartitionKey, checkpoint: Checkpoint) -> Record:
        """Return the row that says how far a partition is."""
        row = Row(self._lineage.born, checkpoint)
        return self._record([_Kind.POSITION, self._lineage.name, *key], msgspec.msgpack.encode(row))

    def start(self, start: Start) -> Record:
        """Return the row that says of a start that it writes, or may."""
        return self._record([_Kind.START, self._lineage.name, start.transactional_id], msgspec.msgpack.encode(start))

    def end(self, start: Start) -> Record:
        """Return the row that says of a start that it does not write any more."""
        return self._record([_Kind.START, self._lineage.name, start.transactional_id], None)

    def _record(self, key: list[str], value: bytes | None) -> Record:
        return Record(value, msgspec.json.encode(key), 0, (), 0)

    async def _known(self, until_s: float = 0.0) -> Topic:
        """Return what is known of the topic; one that was made is known to all brokers a moment later."""
        while True:
            known = (await self._cluster.topics([self._topic]))[self._topic]
            passing = known.error in (errors.UnknownTopicOrPartitionError, errors.LeaderNotAvailableError)
            if not passing or asyncio.get_running_loop().time() >= until_s:
                return known
            await asyncio.sleep(_AGAIN_S)

    async def _create(self) -> None:
        replicas = min(_REPLICAS, len(self._cluster.client.cluster.brokers()))
        configuration = _CONFIGURATION | ({"min.insync.replicas": "2"} if replicas == _REPLICAS else {})
        wanted: Any = (self._topic, PARTITIONS, replicas, [], list(configuration.items()))
        request = CreateTopicsRequest([wanted], _CREATE_TIMEOUT_MS, validate_only=False)
        try:
            response = await self._cluster.ask(request)
            for _, code, *_ in response.topic_errors:
                if code and for_code(code) is not errors.TopicAlreadyExistsError:
                    raise for_code(code)()
        except KafkaError as exc:
            error = translate(exc, SINK, f"making the topic `{self._topic}`")
            error.hint = f"make it: {PARTITIONS} partitions, cleanup.policy=compact; or grant the right to"
            raise error from exc

    async def _policy(self) -> str | None:
        """Return how the topic is cleaned up, None where we may not know."""
        request = DescribeConfigsRequest([(_TOPIC_RESOURCE, self._topic, ["cleanup.policy"])])
        response = await self._cluster.ask(request)
        for code, _, _, _, entries in response.resources:
            if not code:
                return next((str(value) for name, value, *_ in entries if name == "cleanup.policy"), None)
        return None


_ROW: Final = msgspec.msgpack.Decoder(Row)
_STARTED: Final = msgspec.msgpack.Decoder(Start)
