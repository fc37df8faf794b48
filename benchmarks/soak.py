"""Ten minutes at a steady rate: does memory stay flat, and latency with it?"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec

from benchmarks import arithmetic
from benchmarks.arithmetic import Spread, spread
from benchmarks.comparison import check
from benchmarks.contenders import WIRE, kafka_command
from benchmarks.counter import Count, Counted
from benchmarks.generator import Steady, Written
from benchmarks.processes import Child, module, running, usage
from benchmarks.progress import say
from tests.services.kafka_client import KafkaCluster

_EVERY_S = 1.0
_WARM_UP_S = 5
_SLACK_S = 60.0


class Soak(msgspec.Struct):
    """Resident memory every `every_s` seconds; `early` and `late` are its second and its last tenth."""

    rate: float
    seconds: int
    every_s: float
    rss_mib: list[float]
    peak_mib: float
    early_mib: Spread
    late_mib: Spread
    latency: arithmetic.Latency


async def measure(cluster: KafkaCluster, folder: Path, rate: float, seconds: int) -> Soak:
    """Run Wire at `rate` for `seconds`, and check that everything arrived once."""
    source, target = await cluster.create_topic(), await cluster.create_topic()
    count = int(rate * seconds)
    deadline_s = seconds + _SLACK_S
    counting = Count(cluster.bootstrap, target, count, warm_up=int(rate * _WARM_UP_S), latencies=True)
    async with (
        running(WIRE, kafka_command(WIRE, cluster.bootstrap, source, target, folder), folder) as wire,
        running("counter", module("counter", counting), folder) as counter,
    ):
        await counter.line(deadline_s)
        task = Steady(cluster.bootstrap, source, count, rate)
        async with running("generator", module("generator", task), folder) as generator:
            rss = await _watch(wire, seconds)
            await generator.report(Written, deadline_s)
            counted = await counter.report(Counted, deadline_s)
    check(counted)
    return summarize(rate, seconds, rss, counted)


def summarize(rate: float, seconds: int, rss: list[float], counted: Counted) -> Soak:
    """Compare the beginning with the end. Needs twenty samples or more."""
    tenth = len(rss) // 10
    assert counted.latency is not None  # noqa: S101 (everything has arrived)
    return Soak(
        rate, seconds, _EVERY_S, rss, max(rss), spread(rss[tenth : 2 * tenth]), spread(rss[-tenth:]), counted.latency
    )


async def _watch(wire: Child, seconds: int) -> list[float]:
    rss: list[float] = []
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        await asyncio.sleep(_EVERY_S)
        rss.append(round(usage(wire.pid).rss / 2**20, 1))
        if len(rss) % 30 == 0:
            say(f"soak: {len(rss)} s, RSS {rss[-1]:.0f} MiB, peak {max(rss):.0f} MiB")
    return rss
