"""Harness of the `kafka` source: a topic of a real broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tests.services.kafka_client import KafkaCluster
from wire.core.plugins import ComponentContext
from wire.core.ports import Source
from wire.core.records import PartitionId
from wire.sources.kafka import KafkaSourceConfig
from wire.sources.kafka.source import KafkaSource
from wire.testing.harness import SourceHarness


class Kafka(SourceHarness):
    seeds = range(2)
    deadline_s = 100

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.cluster: KafkaCluster = request.getfixturevalue("kafka")
        self.topic = ""

    async def fill(self, values: Sequence[Sequence[bytes]]) -> Mapping[PartitionId, Sequence[bytes]]:
        self.topic = await self.cluster.create_topic(partitions=len(values))
        for number, each in enumerate(values):
            await self.cluster.produce(self.topic, each, partition=number)
        return {PartitionId(f"{self.topic}/{number}"): each for number, each in enumerate(values)}

    def source(self, *, bounded: bool) -> Source:
        return self._source_of(self.topic, bounded=bounded)

    def elsewhere(self) -> Source:
        return self._source_of("elsewhere", bounded=True)

    def _source_of(self, topic: str, *, bounded: bool) -> Source:
        config = KafkaSourceConfig(bootstrap_servers=[self.cluster.bootstrap], topic=topic, group=f"{topic}-readers")
        return KafkaSource(config, ComponentContext("conformance", "kafka", bounded=bounded))

    async def append(self, partition: PartitionId, values: Sequence[bytes]) -> Sequence[bytes]:
        await self.cluster.produce(self.topic, values, partition=int(partition.rpartition("/")[2]))
        return values
