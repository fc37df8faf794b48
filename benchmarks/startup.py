"""From starting `wire run` to the first record at its destination."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from benchmarks.arithmetic import Spread, spread
from benchmarks.comparison import check
from benchmarks.contenders import WIRE, kafka_command
from benchmarks.counter import Count, Counted
from benchmarks.generator import Fill, Written
from benchmarks.processes import module, running
from benchmarks.progress import say
from tests.services.kafka_client import KafkaCluster

_RECORDS = 1000
_DEADLINE_S = 60.0


class Startup(msgspec.Struct):
    """Seconds from spawning the process to a consumer seeing the first record, per run."""

    runs_s: list[float]
    seconds: Spread


async def measure(cluster: KafkaCluster, folder: Path, rounds: int) -> Startup:
    """Start a pipeline on a short topic `rounds` times, after one start that fills the disk cache."""
    source = await cluster.create_topic()
    task = Fill(cluster.bootstrap, source, _RECORDS)
    async with running("generator", module("generator", task), folder) as generator:
        await generator.report(Written, _DEADLINE_S)
    runs = [await _run(cluster, source, folder) for _ in range(rounds + 1)][1:]
    say(f"start to first record: {', '.join(f'{seconds:.2f}' for seconds in runs)} s")
    return Startup(runs, spread(runs))


async def _run(cluster: KafkaCluster, source: str, folder: Path) -> float:
    target = await cluster.create_topic()
    count = Count(cluster.bootstrap, target, _RECORDS)
    async with running("counter", module("counter", count), folder) as counter:
        await counter.line(_DEADLINE_S)
        started_ns = time.monotonic_ns()
        async with running(WIRE, kafka_command(WIRE, cluster.bootstrap, source, target, folder), folder):
            counted = await counter.report(Counted, _DEADLINE_S)
    check(counted)
    return ((counted.first_ns or 0) - started_ns) / 1e9
