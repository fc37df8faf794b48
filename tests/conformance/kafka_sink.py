"""Harness of the `kafka` sink: a topic of a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.services.kafka_client import KafkaCluster
from wire.core.plugins import ComponentContext
from wire.core.ports import Sink
from wire.core.units import Size
from wire.sinks.kafka import KafkaSinkConfig
from wire.sinks.kafka.sink import KafkaSink
from wire.testing.harness import SinkHarness


class Kafka(SinkHarness):
    refuses = True
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
