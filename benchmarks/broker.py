"""The broker of a run: one of our own with its data thrown away afterwards, or the one `WIRE_TEST_KAFKA` names."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.arithmetic import Sample
from benchmarks.clients import DEADLINE_S, PARTITION
from benchmarks.processes import Usage, usage
from tests.services.kafka import KafkaServer
from tests.services.kafka_client import KafkaCluster

ENV = "WIRE_TEST_KAFKA"
_HEAP = "1g"
_POLL_S = 0.02


class Watched(msgspec.Struct):
    """What was seen of a run: samples of the target's length with the CPU time used, and the greatest RSS."""

    samples: list[Sample]
    peak_rss: int


@asynccontextmanager
async def broker() -> AsyncIterator[KafkaCluster]:
    """Give a broker until the block ends."""
    if address := os.environ.get(ENV):
        yield KafkaCluster(address)
        return
    async with KafkaServer(heap=_HEAP) as server:
        yield server


async def watch(cluster: KafkaCluster, topic: str, total: int, pid: int, silence_s: float = 30.0) -> Watched:
    """Sample how much has arrived in the topic, and what process `pid` has used, until there are `total` records.

    Raises TimeoutError when nothing arrives for `silence_s`.
    """
    partition = TopicPartition(topic, PARTITION)
    consumer = AIOKafkaConsumer(bootstrap_servers=cluster.bootstrap)
    await consumer.start()
    clock = asyncio.get_running_loop().time
    seen = Watched([], 0)
    moved_at = clock()
    try:
        while not seen.samples or seen.samples[-1].count < total:
            ends = await asyncio.wait_for(consumer.end_offsets([partition]), DEADLINE_S)
            now, used = _sample(ends[partition], pid)
            if not seen.samples or now.count > seen.samples[-1].count:
                moved_at = clock()
            elif clock() - moved_at > silence_s:
                raise TimeoutError(f"{topic} stays at {now.count} of {total} records")
            seen.samples.append(now)
            seen.peak_rss = max(seen.peak_rss, used.rss)
            await asyncio.sleep(_POLL_S)
    finally:
        await consumer.stop()
    return seen


def _sample(count: int, pid: int) -> tuple[Sample, Usage]:
    used = usage(pid)
    return Sample(time.monotonic_ns(), count, used.cpu_s), used
