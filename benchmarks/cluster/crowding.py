"""How late nodes' own processes are, and tell the leader that they live, while their workers use all cores."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.arithmetic import percentile
from benchmarks.cluster.contender import becomes
from benchmarks.cluster.nodes import Nodes
from benchmarks.progress import say
from wire.node.metrics.declarations import LOOP_DELAY, RENEWALS, Metric

_SETTLE_S: Final = 10.0


class Crowding(msgspec.Struct):
    """`late` says how often a node was that many seconds late, or less, and more than the bound before.

    `renewed` says it of its lease, from when it was to be renewed until that was confirmed; None was not measured.
    `cores` is what the workers of all nodes used together, of `of` that the machine has.
    """

    seconds: float
    cores: float
    of: int
    late: dict[float, int]
    renewed: dict[float, int] | None = None


def p99_s(late: Mapping[float, int]) -> float:
    """Return the bound of the bucket that the 99th percentile is in: it is at most that."""
    return percentile(sorted(Counter(late).elements()), 0.99)


async def measure(folder: Path, seconds: float) -> Crowding:
    """Start a cluster, give it twice as many pipelines without a limit as there are cores, and watch it."""
    place = folder / "crowding"
    place.mkdir()
    nodes, cores = Nodes(place), os.cpu_count() or 1
    async with nodes.start():
        await becomes(nodes.formed, "a cluster")
        for number in range(2 * cores):
            await nodes.apply(
                {
                    "name": f"endless-{number}",
                    "source": {"type": "generate", "config": {"fields": {"n": "sequence"}}},
                    "sink": {"type": "drop"},
                }
            )

        async def all_run() -> bool:
            return await nodes.running() == 2 * cores

        await becomes(all_run, "pipelines that run")
        await asyncio.sleep(_SETTLE_S)
        metrics = (LOOP_DELAY, RENEWALS)
        before = [await _late(nodes, metric) for metric in metrics]
        used, began = nodes.worker_cpu_s(), time.monotonic()
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        busy = (nodes.worker_cpu_s() - used) / took
        late, renewed = [await _late(nodes, each) - then for each, then in zip(metrics, before, strict=True)]
    say(
        f"crowding: workers use {busy:.2f} of {cores} cores, late by at most {1000 * p99_s(late):g} ms,"
        f" leases by at most {1000 * p99_s(renewed):g} ms (p99)"
    )
    return Crowding(took, busy, cores, dict(sorted(late.items())), dict(sorted(renewed.items())))


async def _late(nodes: Nodes, metric: Metric) -> Counter[float]:
    """Return for each bucket of a metric how often any node was that late until now."""
    found: Counter[float] = Counter()
    for place in range(len(nodes.clients)):
        below = 0
        for family in text_string_to_metric_families(await nodes.metrics(place)):
            for sample in family.samples:
                if sample.name == f"{metric.name}_bucket":
                    found[float(sample.labels["le"])] += int(sample.value) - below
                    below = int(sample.value)
    return found
