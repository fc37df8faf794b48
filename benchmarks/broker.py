"""The broker of a run: one of our own with its data thrown away afterwards, or the one `WIRE_TEST_KAFKA` names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.clients import DEADLINE_S, PARTITION
from benchmarks.watching import Watched, observe
from tests.services import java
from tests.services.kafka import KafkaServer
from tests.services.kafka_client import KafkaCluster

ENV = "WIRE_TEST_KAFKA"
_HEAP = "1g"
_POLL_S = 0.02


@asynccontextmanager
async def broker() -> AsyncIterator[KafkaCluster]:
    """Give a broker until the block ends."""
    if address := os.environ.get(ENV):
        yield KafkaCluster(address)
        return
    async with KafkaServer(jvm=java.lasting(_HEAP)) as server:
        yield server


async def watch(cluster: KafkaCluster, topic: str, total: int, pid: int) -> Watched:
    """Sample how much has arrived in the topic, and what process `pid` has used, until there are `total` records.

    Raises TimeoutError when nothing arrives for a while.
    """
    partition = TopicPartition(topic, PARTITION)
    consumer = AIOKafkaConsumer(bootstrap_servers=cluster.bootstrap)
    await consumer.start()

    async def arrived() -> int:
        ends = await asyncio.wait_for(consumer.end_offsets([partition]), DEADLINE_S)
        return int(ends[partition])

    try:
        return await observe(arrived, topic, total, pid, _POLL_S)
    finally:
        await consumer.stop()
