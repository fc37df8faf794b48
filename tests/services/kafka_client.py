"""Topics, records and offsets of any Kafka cluster, for setting a test up and for looking at what came of it.

Every call opens its own connection and closes it, so one object serves many event loops (a session's fixture).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, for_code

DEADLINE_S = 60.0
_POLL_S = 0.05


class KafkaCluster:
    """A cluster somebody runs, reached without encryption or a password at `bootstrap` (`host:port`)."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    async def answers(self) -> bool:
        """Return whether the cluster answers a metadata request, within a second."""
        client = AIOKafkaClient(bootstrap_servers=self.bootstrap, request_timeout_ms=1000)
        log = logging.getLogger("aiokafka")
        before, log.disabled = log.disabled, True  # a broker that is not up yet is no news
        try:
            await client.bootstrap()
        except (KafkaError, OSError):
            return False
        finally:
            log.disabled = before
            await client.close()
        return True

    async def create_topic(
        self,
        name: str | None = None,
        partitions: int = 1,
        config: Mapping[str, str] | None = None,
        *,
        replicas: int = 1,
    ) -> str:
        """Create a topic, of a name nobody else uses unless one is given, and return its name once it has leaders."""
        topic = name or f"t-{uuid4().hex[:12]}"
        async with self._admin() as admin:
            new = NewTopic(topic, partitions, replicas, topic_configs=dict(config or {}))
            answer = await admin.create_topics([new])
            _check(answer.topic_errors)
            await self._until_led(admin, topic, partitions)
        return topic

    async def add_partitions(self, topic: str, total: int) -> None:
        """Grow the topic to `total` partitions and return once they have leaders."""
        async with self._admin() as admin:
            await admin.create_partitions({topic: NewPartitions(total_count=total)})
            await self._until_led(admin, topic, total)

    async def delete_topic(self, topic: str) -> None:
        """Delete the topic and return once nobody is told of it any more."""
        async with self._admin() as admin, asyncio.timeout(DEADLINE_S):
            _check((await admin.delete_topics([topic])).topic_error_codes)
            while topic in await admin.list_topics():
                await asyncio.sleep(_POLL_S)

    async def topics(self) -> list[str]:
        """Return the names of all topics."""
        async with self._admin() as admin:
            return sorted(await admin.list_topics())

    async def produce(
        self,
        topic: str,
        values: Iterable[bytes | None],
        *,
        keys: Iterable[bytes | None] | None = None,
        partition: int | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
        timestamp_ms: int | None = None,
        **options: Any,
    ) -> None:
        """Write the values, each with the key at its place if there are keys; return once all are acknowledged.

        `options` go to `AIOKafkaProducer` (`compression_type`, `transactional_id`, ...).
        """
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=5, **options) as producer:
            pending = []
            for value, key in zip(values, itertools.repeat(None) if keys is None else keys, strict=False):
                pending.append(
                    await producer.send(
                        topic, value, key, partition=partition, headers=list(headers), timestamp_ms=timestamp_ms
                    )
                )
            await asyncio.gather(*pending)

    async def consume(
        self, topic: str, count: int | None = None, *, deadline_s: float = DEADLINE_S, **options: Any
    ) -> list[ConsumerRecord]:
        """Return the topic's records from its beginning, in order within each partition.

        Without `count`, what is there now; with it, at least that many, waited for. Raises TimeoutError, which says
        how many came. `options` go to `AIOKafkaConsumer` (`isolation_level`, ...).
        """
        found: list[ConsumerRecord] = []
        async with self._reader(topic, **options) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            try:
                async with asyncio.timeout(deadline_s):
                    while not await _done(consumer, ends, len(found), count):
                        for records in (await consumer.getmany(timeout_ms=100)).values():
                            found.extend(records)
            except TimeoutError:
                raise TimeoutError(f"{topic}: {len(found)} records within {deadline_s:g} s, not {count}") from None
        return found

    async def end_offsets(self, topic: str, **options: Any) -> dict[int, int]:
        """Return the offset of the next record by partition; with `isolation_level`, of the next that may be read."""
        async with self._reader(topic, **options) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
        return {partition.partition: offset for partition, offset in ends.items()}

    async def committed_offsets(self, group: str) -> dict[tuple[str, int], int]:
        """Return what a consumer group has committed, by topic and partition."""
        async with self._admin() as admin, asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    offsets = await admin.list_consumer_group_offsets(group)
                    break
                except GroupCoordinatorNotAvailableError:  # the first question makes the cluster create its topic
                    await asyncio.sleep(_POLL_S)
        return {(partition.topic, partition.partition): meta.offset for partition, meta in offsets.items()}

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=int(DEADLINE_S * 1000))
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()

    @asynccontextmanager
    async def _reader(self, topic: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer at the beginning of all the topic's partitions, in no group."""
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, **options) as consumer:
            async with self._admin() as admin:
                described = await admin.describe_topics([topic])
            _check([(each["topic"], each["error_code"]) for each in described])
            partitions = [TopicPartition(topic, each["partition"]) for each in described[0]["partitions"]]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            yield consumer

    async def _until_led(self, admin: AIOKafkaAdminClient, topic: str, partitions: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                found = (await admin.describe_topics([topic]))[0]["partitions"]
                if len(found) == partitions and all(each["leader"] >= 0 for each in found):
                    return
                await asyncio.sleep(_POLL_S)


async def _done(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], found: int, count: int | None) -> bool:
    if count is not None:
        return found >= count
    return all([await consumer.position(partition) >= end for partition, end in ends.items()])


def _check(errors: Iterable[tuple[Any, ...]]) -> None:
    """Raise the error a cluster answered for a topic: tuples of name, code, sometimes a message."""
    for topic, code, *message in errors:
        if code:
            raise for_code(code)(f"{topic}: {' '.join(str(part) for part in message)}")
