"""Exactly once into Kafka where a transaction comes to grief: as if nothing had been, but for the time it takes."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.chaos.test_outages import Running, arrived, numbers, running, spec
from tests.chaos.victim import Victim
from tests.services.kafka import KafkaServer
from wire.sinks.kafka.transaction import TRANSACTION_TIMEOUT_S

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(900)]

LONGER_S = TRANSACTION_TIMEOUT_S + 15
"""Longer than brokers keep a transaction open; they look every ten seconds."""


async def frozen(_: KafkaServer, its: Running) -> None:
    """The process says nothing for so long that the broker ends its transaction."""
    its.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(LONGER_S)  # the length of the fault
    its.process.send_signal(signal.SIGCONT)


async def away(kafka: KafkaServer, its: Running) -> None:
    """The broker is away for longer than a transaction lasts, and than anything waits for it."""
    kafka.kill()
    while "restarts" not in await its.hear():
        pass
    await asyncio.sleep(LONGER_S)  # the length of the fault
    await kafka.start()


@pytest.mark.parametrize("fault", [frozen, away])
async def test_a_lost_transaction_is_begun_anew_and_nothing_is_there_twice(
    own_kafka: KafkaServer, tmp_path: Path, fault: Callable[[KafkaServer, Running], Awaitable[None]]
) -> None:
    topic, out = await own_kafka.create_topic(partitions=2), await own_kafka.create_topic(partitions=2)
    await own_kafka.produce(topic, numbers(0, 20_000))
    pipeline = spec(own_kafka, topic, out) | {"delivery": "exactly_once", "rate_limit": "2000/s"}
    pipeline["sink"]["config"]["transactions"] = {"interval": "2s"}  # so that one is mostly open
    async with running(Victim(tmp_path, pipeline)) as its:
        await arrived(own_kafka, out, 100)
        await fault(own_kafka, its)
        await own_kafka.produce(topic, numbers(20_000, 2_000))
        await arrived(own_kafka, out, 11_000)
    assert "transaction_lost" in its.said
    committed = await own_kafka.consume(out, isolation_level="read_committed")
    assert Counter(json.loads(record.value)["n"] for record in committed) == Counter(range(0, 22_000, 2))
    ends = await own_kafka.end_offsets(out)
    assert await own_kafka.end_offsets(out, isolation_level="read_committed") == ends
