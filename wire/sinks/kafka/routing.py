"""Which partition of which topic each record of a write goes to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from aiokafka.errors import InvalidTopicError, UnknownTopicOrPartitionError

from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import SINK, translate
from wire.core.clock import Clock
from wire.core.errors import RecordError
from wire.core.records import Batch, Record
from wire.sinks.kafka import KafkaSinkConfig
from wire.sinks.kafka.lane import Lane, Target
from wire.sinks.kafka.partitioner import Partitioner

_REFRESH_S: Final = 300.0  # how soon a topic's new partitions are used
_ABSENT_S: Final = 10.0  # how soon a topic that was not there is asked for again
_MAX_ABSENT: Final = 1000
_json: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
_MISSING: Final = (InvalidTopicError, UnknownTopicOrPartitionError)

Misfits = list[tuple[int, RecordError]]
"""Records that can go nowhere, by place, and why."""


class Router:
    """Deals the records of a write to lanes: by their partition, else by their key as Kafka does, else in turn.

    A record's place is its index in the write, counted over all batches. Records without a key go to one partition per
    write, the next one with the next write.
    """

    def __init__(self, cluster: KafkaCluster, config: KafkaSinkConfig, clock: Clock) -> None:
        """Deal as `config` says among the partitions that `cluster` has."""
        self._cluster = cluster
        self._clock = clock
        self._topic = config.topic if isinstance(config.topic, str) else None
        self._partitioner = Partitioner()
        self._counts: dict[str, int] = {}
        self._absent: dict[str, float] = {}
        self._refresh_at = 0.0
        self._turn = 0

    async def lanes(self, batches: Sequence[Batch]) -> tuple[list[Lane], Misfits]:
        """Return the lanes with every record that can be sent, in order. Raises RetryableError, UnavailableError."""
        await self._learn(self._names(batches))
        self._turn += 1
        lanes: dict[Target, Lane] = {}
        misfits: Misfits = []
        base = 0
        for batch in batches:
            columns = batch.columns or {}
            records = _with_keys(batch.records, columns.get("key"))
            if self._topic is not None and "partition" not in columns:
                self._deal(lanes, self._topic, records, base)
            else:
                self._deal_by_record(lanes, misfits, records, columns, base)
            base += len(records)
        return list(lanes.values()), misfits

    def _names(self, batches: Sequence[Batch]) -> set[str]:
        if self._topic is not None:
            return {self._topic}
        columns = ((batch.columns or {}).get("topic", []) for batch in batches)
        return {name for column in columns for name in column if isinstance(name, str)}

    async def _learn(self, names: Iterable[str]) -> None:
        now = self._clock.monotonic()
        wanted = {name for name in names if name not in self._counts and self._absent.get(name, 0.0) <= now}
        if now >= self._refresh_at:
            self._refresh_at = now + _REFRESH_S
            wanted |= self._counts.keys()
        if not wanted:
            return
        if len(self._absent) > _MAX_ABSENT:  # I8: the names come from the data
            self._absent.clear()
        for topic in (await self._cluster.topics(sorted(wanted))).values():
            if topic.leaders:
                self._counts[topic.name] = len(topic.leaders)
            elif topic.error in _MISSING and topic.name != self._topic:
                self._absent[topic.name] = now + _ABSENT_S
            elif topic.error is not None:
                raise translate(topic.error(), SINK, f"looking up topic `{topic.name}`")

    def _deal(self, lanes: dict[Target, Lane], topic: str, records: list[Record], base: int) -> None:
        count = self._counts[topic]
        if count == 1:  # whatever the keys are
            only = lanes.setdefault((topic, 0), Lane((topic, 0)))
            only.records += records
            only.places += range(base, base + len(records))
            return
        sticky = self._turn % count
        hash_of = self._partitioner.hash_of
        by_number: dict[int, Lane] = {}
        for place, record in enumerate(records, base):
            number = sticky if record.key is None else hash_of(record.key) % count
            lane = by_number.get(number)
            if lane is None:
                lane = by_number[number] = lanes.setdefault((topic, number), Lane((topic, number)))
            lane.records.append(record)
            lane.places.append(place)

    def _deal_by_record(
        self,
        lanes: dict[Target, Lane],
        misfits: Misfits,
        records: list[Record],
        columns: dict[str, list[Any]],
        base: int,
    ) -> None:
        topics = columns.get("topic") or [self._topic] * len(records)
        numbers = columns.get("partition") or [None] * len(records)
        for place, (record, topic, number) in enumerate(zip(records, topics, numbers, strict=True), base):
            target = self._target(record, topic, number)
            if isinstance(target, RecordError):
                misfits.append((place, target))
                continue
            lane = lanes.setdefault(target, Lane(target)) if target not in lanes else lanes[target]
            lane.records.append(record)
            lane.places.append(place)

    def _target(self, record: Record, topic: object, number: object) -> Target | RecordError:
        count = self._counts.get(topic) if isinstance(topic, str) else None
        if not isinstance(topic, str) or count is None:
            hint = "create the topic first: Wire creates none"
            return RecordError(
                "sink.kafka.missing_topic", f"there is no topic {_shown(topic)}", path="topic", hint=hint
            )
        if number is None:
            key = record.key
            return topic, self._turn % count if key is None else self._partitioner.hash_of(key) % count
        if type(number) is not int or not 0 <= number < count:
            message = f"topic `{topic}` has no partition {_shown(number)}: it has 0 to {count - 1}"
            hint = "compute one of these numbers, or NULL to let the key decide"
            return RecordError("sink.kafka.no_partition", message, path="partition", hint=hint)
        return topic, number


def _with_keys(records: list[Record], keys: list[Any] | None) -> list[Record]:
    if keys is None:
        return records
    return [Record(r.value, _key(key), r.ts_ms, r.headers, r.offset) for r, key in zip(records, keys, strict=True)]


def _key(value: Any) -> bytes | None:
    """Return a key expression's value as bytes: text as it reads, lists and structures as JSON.

    Half a surrogate pair, which only a callable can make, is not UTF-8; it is kept rather than failing the write.
    """
    if value is None or type(value) is bytes:
        return value
    if type(value) is str:
        return value.encode(errors="surrogatepass")
    if isinstance(value, bool | list | dict):
        return _json(value)
    return str(value).encode()


def _shown(value: object) -> str:
    return f"`{str(value)[:100]}`" if value is not None else "NULL"
