"""From starting a member whose log is long to the first read there that sees everything."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.arithmetic import Spread, spread
from benchmarks.consensus import long_logs
from benchmarks.consensus.clusters import Cluster, disk_folder, wire_cluster, wire_seats
from benchmarks.consensus.door import reached
from benchmarks.progress import say

_NEVER: Final = 1 << 50
_POLL_S: Final = 0.01


class Restart(msgspec.Struct):
    """Seconds from spawning the process, whose log has so many entries behind its snapshot, per run."""

    entries: int
    runs_s: list[float]
    seconds: Spread


async def measure(entries: int, rounds: int) -> Restart:
    """Kill a member that follows and start it again, `rounds` times."""
    with disk_folder() as name:
        disk = Path(name)
        taken = wire_seats(disk)
        await asyncio.to_thread(long_logs.write, taken, entries)
        async with wire_cluster(taken, disk, _NEVER, _NEVER) as cluster:
            runs_s = [await _restart(cluster) for _ in range(rounds)]
    say(f"restart with {entries:,} entries: {', '.join(f'{seconds:.2f}' for seconds in runs_s)} s")
    return Restart(entries, runs_s, spread(runs_s))


async def _restart(cluster: Cluster) -> float:
    place = (await cluster.leader() + 1) % len(cluster.addresses)
    cluster.kill(place)
    began = time.monotonic()
    await cluster.start(place)
    client = await reached(cluster.addresses[place])
    while not await client.read():
        await asyncio.sleep(_POLL_S)
    took_s = time.monotonic() - began
    await client.close()
    return took_s
