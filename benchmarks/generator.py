"""Writes the input: `python -m benchmarks.generator JSON`. Prints one JSON line when everything is acknowledged."""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
from aiokafka import AIOKafkaProducer

from benchmarks import jobs
from benchmarks.clients import DEADLINE_S, producing, run, send

_TICK_S = 0.001
"""A steady generator sleeps this long between sends: finer steps would cost half a core, and no timer here has them."""


class Fill(msgspec.Struct, tag="fill"):
    """Write `count` records as fast as they go."""

    bootstrap: str
    topic: str
    count: int


class Steady(msgspec.Struct, tag="steady"):
    """Write `rate` records a second in open loop until there are `count`.

    Every record carries the time it was *meant* to be sent, so that a stall of anything, this process included,
    counts for all the records that had to wait for it.
    """

    bootstrap: str
    topic: str
    count: int
    rate: float


class Written(msgspec.Struct):
    """What a generator reports: how many, from when to when (monotonic), and how late it ran at worst."""

    count: int
    started_ns: int
    ended_ns: int
    latest_ns: int = 0


def due(now_ns: int, started_ns: int, rate: float) -> int:
    """Return how many records should have been sent by now."""
    return int((now_ns - started_ns) * rate / 1e9) + 1


async def fill(producer: AIOKafkaProducer, task: Fill) -> Written:
    """Send everything, one batch ahead of the broker."""
    started_ns = time.monotonic_ns()
    number = 0
    last: asyncio.Future[object] | None = None
    while number < task.count:
        builder = producer.create_batch()
        while number < task.count and builder.append(
            timestamp=None, key=None, value=jobs.value(number, started_ns + number)
        ):
            number += 1
        builder.close()
        last = await send(producer, task.topic, builder)
    if last is not None:
        await asyncio.wait_for(last, DEADLINE_S)
    return Written(number, started_ns, time.monotonic_ns())


async def steady(producer: AIOKafkaProducer, task: Steady) -> Written:
    """Send what is due once every tick, at most one batch ahead of the acknowledgements."""
    started_ns = time.monotonic_ns()
    interval_ns = 1e9 / task.rate
    number = latest_ns = 0
    acknowledged: asyncio.Future[object] | None = None
    while number < task.count:
        await asyncio.sleep(_TICK_S)
        now_ns = time.monotonic_ns()
        upto = min(task.count, due(now_ns, started_ns, task.rate))
        if upto == number:
            continue
        latest_ns = max(latest_ns, now_ns - started_ns - int(number * interval_ns))
        builder = producer.create_batch()
        while number < upto and builder.append(
            timestamp=None, key=None, value=jobs.value(number, started_ns + int(number * interval_ns))
        ):
            number += 1
        builder.close()
        if acknowledged is not None:
            await asyncio.wait_for(acknowledged, DEADLINE_S)
        acknowledged = await send(producer, task.topic, builder)
    if acknowledged is not None:
        await asyncio.wait_for(acknowledged, DEADLINE_S)
    return Written(number, started_ns, time.monotonic_ns(), latest_ns)


async def main(task: Fill | Steady) -> None:
    """Do one task and report it."""
    async with producing(task.bootstrap) as producer:
        written = await (fill(producer, task) if isinstance(task, Fill) else steady(producer, task))
    print(msgspec.json.encode(written).decode(), flush=True)


if __name__ == "__main__":
    run(main(msgspec.json.decode(sys.argv[1], type=Fill | Steady)))
