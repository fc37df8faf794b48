"""How long a command takes, and how many are confirmed: one caller, and many at once, contenders taking turns."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import arithmetic
from benchmarks.arithmetic import Latency, Spread, spread
from benchmarks.consensus.callers import Called, Closed
from benchmarks.consensus.clusters import ETCD, Cluster, disk_folder, fresh
from benchmarks.processes import module, running
from benchmarks.progress import say

MANY: Final = 64
_WARM_UP_S: Final = 2.0
_DEADLINE_S: Final = 90.0
_SYNCS: Final = 500
_SYNC_BYTES: Final = 4096


class Run(msgspec.Struct):
    """One run of one contender with so many callers; cost is that of all three members."""

    contender: str
    callers: int
    latency: Latency
    per_s: float
    per_cpu_s: float
    unconfirmed: int


class Figures(msgspec.Struct):
    """Over the runs of one contender with so many callers; latencies in milliseconds."""

    p50_ms: Spread
    p99_ms: Spread
    max_ms: Spread
    per_s: Spread
    per_cpu_s: Spread


class Commands(msgspec.Struct):
    """All runs in their order, figures by contender for one caller and for many.

    `sync_ms` is what one append and fdatasync of 4 KiB takes on the same disk, `gateway_ms` what etcd's JSON gateway
    takes for one caller who asks for something that needs no consensus, if etcd was there.
    """

    seconds: float
    runs: list[Run]
    one: dict[str, Figures]
    many: dict[str, Figures]
    sync_ms: Latency
    gateway_ms: Latency | None


async def measure(folder: Path, contenders: Sequence[str], seconds: float, rounds: int) -> Commands:
    """Let the contenders take turns, each time on an empty disk."""
    sync_ms = time_syncs()
    runs: list[Run] = []
    gateway_ms = []
    for turn in range(rounds):
        for contender in contenders:
            async with fresh(contender) as cluster:
                for callers in (1, MANY):
                    done = await _run(cluster, callers, seconds, folder)
                    runs.append(done)
                    say(
                        f"commands {turn + 1}/{rounds} {contender:17} {callers:2} callers: {done.per_s:7,.0f}/s  "
                        f"p50 {done.latency.p50:.2f}  p99 {done.latency.p99:.2f}  max {done.latency.max:.1f} ms, "
                        f"{done.per_cpu_s:,.0f} per CPU-s"
                    )
                if contender == ETCD:
                    task = Closed(cluster.addresses, etcd=True, callers=1, seconds=2, warm_up_s=0.5, gateway=True)
                    gateway_ms.append((await _call(task, folder)).latency)
    return summarize(seconds, runs, sync_ms, min(gateway_ms, key=lambda each: each.p50, default=None))


def summarize(seconds: float, runs: list[Run], sync_ms: Latency, gateway_ms: Latency | None) -> Commands:
    """Put the runs side by side."""
    return Commands(seconds, runs, _figures(runs, 1), _figures(runs, MANY), sync_ms, gateway_ms)


def time_syncs() -> Latency:
    """Return how long it takes to append a little to a file and have it on the disk."""
    taken = []
    with disk_folder() as name:
        descriptor = os.open(Path(name) / "file", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            for _ in range(_SYNCS):
                began = time.monotonic_ns()
                os.write(descriptor, bytes(_SYNC_BYTES))
                os.fdatasync(descriptor)
                taken.append(time.monotonic_ns() - began)
        finally:
            os.close(descriptor)
    return arithmetic.latency(taken)


async def _run(cluster: Cluster, callers: int, seconds: float, folder: Path) -> Run:
    task = Closed(cluster.addresses, cluster.is_etcd, callers, seconds, _WARM_UP_S)
    async with running("callers", module("consensus.callers", task), folder) as child:
        await child.line(_DEADLINE_S)
        await asyncio.sleep(_WARM_UP_S)
        before_s = cluster.cpu_s()
        await asyncio.sleep(seconds)
        used_s = cluster.cpu_s() - before_s
        called = await child.report(Called, _DEADLINE_S)
    per_cpu_s = called.latency.count / used_s
    return Run(cluster.contender, callers, called.latency, called.per_s, per_cpu_s, called.unconfirmed)


async def _call(task: Closed, folder: Path) -> Called:
    async with running("callers", module("consensus.callers", task), folder) as child:
        await child.line(_DEADLINE_S)
        return await child.report(Called, _DEADLINE_S)


def _figures(runs: Sequence[Run], callers: int) -> dict[str, Figures]:
    figures = {}
    for contender in dict.fromkeys(run.contender for run in runs):
        of = [run for run in runs if run.contender == contender and run.callers == callers]
        figures[contender] = Figures(
            spread([run.latency.p50 for run in of]),
            spread([run.latency.p99 for run in of]),
            spread([run.latency.max for run in of]),
            spread([run.per_s for run in of]),
            spread([run.per_cpu_s for run in of]),
        )
    return figures
