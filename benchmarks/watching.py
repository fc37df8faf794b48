"""Watches records arrive, and what the process uses that brings them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from benchmarks.arithmetic import Sample
from benchmarks.processes import usage


class Watched(msgspec.Struct):
    """What was seen of a run: samples of how much had arrived with the CPU time used, and the greatest RSS."""

    samples: list[Sample]
    peak_rss: int


async def observe(
    arrived: Callable[[], Awaitable[int]], what: str, total: int, pid: int, every_s: float, silence_s: float = 30.0
) -> Watched:
    """Sample how much has arrived, and what process `pid` has used, until there are `total` records.

    Raises TimeoutError when nothing arrives for `silence_s`.
    """
    clock = asyncio.get_running_loop().time
    seen = Watched([], 0)
    moved_at = clock()
    while not seen.samples or seen.samples[-1].count < total:
        count = await arrived()
        used = usage(pid)
        if not seen.samples or count > seen.samples[-1].count:
            moved_at = clock()
        elif clock() - moved_at > silence_s:
            raise TimeoutError(f"{what} stays at {count} of {total} records")
        seen.samples.append(Sample(time.monotonic_ns(), count, used.cpu_s))
        seen.peak_rss = max(seen.peak_rss, used.rss)
        await asyncio.sleep(every_s)
    return seen
