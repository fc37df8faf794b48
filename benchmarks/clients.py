"""The Kafka client calls that generator, counter and the bare loop share: one partition, batch calls, asyncio."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

DEADLINE_S = 60.0
PARTITION = 0
_MAX_BATCH_BYTES = 1_000_000


@asynccontextmanager
async def producing(bootstrap: str, *, idempotent: bool = False) -> AsyncIterator[AIOKafkaProducer]:
    """Run a producer whose batches hold up to a megabyte and wait for nobody."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=idempotent,
        acks="all",
        max_batch_size=_MAX_BATCH_BYTES,
        max_request_size=2 * _MAX_BATCH_BYTES,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Run a consumer at the beginning of the topic's only partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(topic, PARTITION)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        yield consumer
    finally:
        await consumer.stop()


async def send(producer: AIOKafkaProducer, topic: str, builder: BatchBuilder) -> asyncio.Future[Any]:
    """Hand over a batch; the future is done when the broker has it."""
    async with asyncio.timeout(DEADLINE_S):
        return await producer.send_batch(builder, topic, partition=PARTITION)  # type: ignore[no-any-return]


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a process of the harness on uvloop, with what was imported out of the garbage collector's sight."""
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
