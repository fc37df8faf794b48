"""Harness of the `kafka` sink: a topic of a real broker."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Sequence

import pytest

from tests.services.kafka_client import KafkaCluster
from wire.core.config import ByRecord, Expression
from wire.core.plugins import ComponentContext
from wire.core.ports import Sink
from wire.core.records import Batch
from wire.core.units import Size
from wire.sinks.kafka import KafkaSinkConfig
from wire.sinks.kafka.sink import KafkaSink
from wire.testing.harness import RefusingSinkHarness


class Kafka(RefusingSinkHarness):
    seeds = range(3)
    deadline_s = 100

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.cluster: KafkaCluster = request.getfixturevalue("kafka")
        self.topic = asyncio.run(self.cluster.create_topic(partitions=2))

    def sink(self) -> Sink:
        config = KafkaSinkConfig(
            bootstrap_servers=[self.cluster.bootstrap], topic=self.topic, max_request_size=Size(100_000)
        )
        return KafkaSink(config, ComponentContext("conformance", "kafka"))

    async def read_back(self) -> Sequence[bytes]:
        return [record.value for record in await self.cluster.consume(self.topic)]

    def refused(self) -> bytes:
        return bytes(200_000)


class KafkaByRecord(Kafka):
    """Computed topics, partitions and keys, compressed."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        self.topics = [self.topic, asyncio.run(self.cluster.create_topic(partitions=3))]

    def sink(self) -> Sink:
        config = KafkaSinkConfig(
            bootstrap_servers=[self.cluster.bootstrap],
            topic=ByRecord(expr=Expression("topic")),
            key=Expression("key"),
            partition=Expression("number"),
            max_request_size=Size(100_000),
            compression="zstd",
        )
        return KafkaSink(config, ComponentContext("conformance", "kafka"))

    def prepare(self, batch: Batch) -> Batch:
        digest = zlib.crc32(batch.partition.encode())
        columns = {"topic": self.topics[digest % 2], "partition": (digest >> 1) % 2, "key": batch.partition}
        batch.columns = {name: [value] * len(batch.records) for name, value in columns.items()}
        return batch

    async def read_back(self) -> Sequence[bytes]:
        return [record.value for topic in self.topics for record in await self.cluster.consume(topic)]

    def refused(self) -> bytes:
        return random.Random(0).randbytes(200_000)


KAFKA_SINKS = (Kafka, KafkaByRecord)
