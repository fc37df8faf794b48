"""Brokers that die, freeze and come back under a running `wire run`: it goes on by itself and nothing is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.victim import Victim
from tests.services.kafka import KafkaServer

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.timeout(900)]

RESIDENT_LIMIT_MIB = 150


def spec(kafka: KafkaServer, topic: str, out: str) -> dict[str, Any]:
    where = {"bootstrap_servers": [kafka.bootstrap]}
    return {
        "name": "outage",
        "source": {"type": "kafka", "config": {**where, "topic": topic}},
        "transforms": [{"filter": "n % 2 = 0"}],
        "sink": {"type": "kafka", "config": {**where, "topic": out}},
        "retry": {"initial": "100ms", "max": "500ms"},
        "checkpoint": {"interval": "100ms"},
    }


def numbers(first: int, count: int) -> list[bytes]:
    return [b'{"n":%d}' % n for n in range(first, first + count)]


class Running:
    """A process, and what it has said on standard error so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    async def hear(self) -> str:
        """Return the next line; fail when the process ends or says nothing for too long."""
        assert self.process.stderr is not None
        async with asyncio.timeout(120):
            line = (await self.process.stderr.readline()).decode()
        self.said += line
        assert line, f"it has ended: {self.said}"
        return line

    def peak_resident_mib(self) -> float:
        """Return the most memory the process ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024


@contextlib.asynccontextmanager
async def running(victim: Victim) -> AsyncIterator[Running]:
    process = await victim.start()
    its = Running(process)
    try:
        yield its
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(120):
            _, errors = await process.communicate()
        its.said += errors.decode()
        assert process.returncode == 0, its.said
        assert "Traceback" not in its.said
    except BaseException as exc:
        if process.returncode is None:
            process.kill()
            _, errors = await process.communicate()
            its.said += errors.decode()
        exc.add_note(f"the pipeline said: {its.said}")
        raise


async def arrived(kafka: KafkaServer, topic: str, count: int) -> set[int]:
    """Return the numbers in the topic once there are `count` different ones."""
    found: set[int] = set()
    async with asyncio.timeout(240):
        while len(found) < count:
            found = {json.loads(record.value)["n"] for record in await kafka.consume(topic)}
    return found


async def kill_and_restart(kafka: KafkaServer, _: Running) -> None:
    kafka.kill()
    await kafka.start()


async def freeze_and_thaw(kafka: KafkaServer, its: Running) -> None:
    kafka.pause()
    async with asyncio.timeout(120):
        while "source retry" not in await its.hear():
            pass
    kafka.resume()


@pytest.mark.parametrize(
    ("fault", "delivery"),
    [(kill_and_restart, "at_least_once"), (freeze_and_thaw, "at_least_once"), (kill_and_restart, "exactly_once")],
)
async def test_work_resumes_after_the_broker_comes_back(
    own_kafka: KafkaServer, tmp_path: Path, fault: Callable[[KafkaServer, Running], Awaitable[None]], delivery: str
) -> None:
    topic, out = await own_kafka.create_topic(partitions=2), await own_kafka.create_topic(partitions=2)
    await own_kafka.produce(topic, numbers(0, 20_000))
    async with running(Victim(tmp_path, spec(own_kafka, topic, out) | {"delivery": delivery})) as its:
        await arrived(own_kafka, out, 100)
        await fault(own_kafka, its)
        await own_kafka.produce(topic, numbers(20_000, 20_000))
        found = await arrived(own_kafka, out, 20_000)
        assert its.peak_resident_mib() < RESIDENT_LIMIT_MIB
    assert found == set(range(0, 40_000, 2))
    if delivery == "exactly_once":
        committed = await own_kafka.consume(out, isolation_level="read_committed")
        assert sorted(json.loads(record.value)["n"] for record in committed) == [*range(0, 40_000, 2)]


async def test_memory_stays_flat_while_the_sink_is_away_and_the_source_is_not(
    own_kafka: KafkaServer, kafka: KafkaServer, tmp_path: Path
) -> None:
    topic, out = await kafka.create_topic(), await own_kafka.create_topic()
    pipeline = spec(own_kafka, topic, out)
    pipeline["source"]["config"]["bootstrap_servers"] = [kafka.bootstrap]
    async with running(Victim(tmp_path, pipeline)) as its:
        await kafka.produce(topic, numbers(0, 1000))
        await arrived(own_kafka, out, 500)
        own_kafka.kill()
        await kafka.produce(topic, (b'{"n":%d,"pad":"%s"}' % (n, b"x" * 3000) for n in range(1000, 61_000)))
        assert 1000 < await read_no_further(its) < 61_000
        await own_kafka.start()
        assert await arrived(own_kafka, out, 30_500) == set(range(0, 61_000, 2))
        assert its.peak_resident_mib() < RESIDENT_LIMIT_MIB


async def read_no_further(its: Running) -> int:
    """Return how many records were read, once there is more to read and that number stays: what it may hold is full."""
    before = 1000  # what was there before the outage
    while True:
        if found := re.search(r"read ([\d,]+) ", await its.hear()):
            read = int(found[1].replace(",", ""))
            if read == before > 1000:
                return read
            before = read
