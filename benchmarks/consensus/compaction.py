"""Whether compacting a long log holds anything up, while commands go on at a steady rate."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.arithmetic import Latency
from benchmarks.consensus import long_logs
from benchmarks.consensus.callers import Called, Steady
from benchmarks.consensus.clusters import Cluster, disk_folder, wire_cluster, wire_seats
from benchmarks.consensus.door import DoorClient, reached
from benchmarks.processes import RunError, module, running
from benchmarks.progress import say

_RATE: Final = 200.0
_NEVER: Final = 1 << 50
_POLL_S: Final = 0.2
_WARM_UP_S: Final = 1.0
_DEADLINE_S: Final = 600.0


class Compaction(msgspec.Struct):
    """The leader's log of so many entries is compacted; commands come at `rate` a second.

    `pause_ms` is the longest time the leader's event loop was held up from the beginning of the snapshot on, `idle_ms`
    the longest in as much time before, and the latencies are those of the commands in both times.
    """

    entries: int
    rate: float
    seconds: float
    pause_ms: float
    idle_ms: float
    latency: Latency
    idle: Latency


async def measure(folder: Path, entries: int, seconds: float) -> Compaction:
    """Begin with a log of so many entries that nobody has compacted."""
    with disk_folder() as name:
        disk = Path(name)
        taken = wire_seats(disk)
        say(f"compaction: writing logs of {entries:,} entries")
        await asyncio.to_thread(long_logs.write, taken, entries)
        async with wire_cluster(taken, disk, _NEVER, _NEVER) as cluster:
            leader = await _leader(cluster, entries)
            await leader.watch()
            idle_ms, idle = await _steady(cluster, leader, seconds, folder, leader.read())
            pause_ms, busy = await _steady(cluster, leader, seconds, folder, leader.compact())
            await leader.close()
    say(f"compaction of {entries:,} entries: paused for {pause_ms:.1f} ms at most, for {idle_ms:.1f} ms without")
    return Compaction(entries, _RATE, seconds, pause_ms, idle_ms, busy, idle)


async def _leader(cluster: Cluster, entries: int) -> DoorClient:
    """Return a way to the leader, once all have applied all of the log."""
    async with asyncio.timeout(_DEADLINE_S):
        for address in cluster.addresses:
            client = await reached(address)
            while (await client.standing()).applied < entries:
                await asyncio.sleep(_POLL_S)
            await client.close()
    return await DoorClient.connect(cluster.addresses[await cluster.leader()])


async def _steady(
    cluster: Cluster, leader: DoorClient, seconds: float, folder: Path, meanwhile: Coroutine[None, None, bool]
) -> tuple[float, Latency]:
    """Have commands come at a steady rate while something is done; return the longest pause and what they saw."""
    task = Steady(cluster.addresses, _RATE, seconds, _WARM_UP_S)
    async with running("callers", module("consensus.callers", task), folder) as child:
        await child.line(_DEADLINE_S)
        await asyncio.sleep(_WARM_UP_S)
        await leader.standing()  # what was before does not count
        async with asyncio.timeout(seconds):
            if not await meanwhile:
                raise RunError("the leader did not do what it was asked")
        called = await child.report(Called, _DEADLINE_S)
    return (await leader.standing()).pause_ms, called.latency
