"""How fast pipelines are created over REST, each starting to run at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.cluster.contender import Contender, becomes
from benchmarks.cluster.turns import Fresh
from benchmarks.progress import say

CALLERS: Final = 8


class Created(msgspec.Struct):
    """So many pipelines were confirmed in so many seconds, and ran after so many."""

    pipelines: int
    confirmed_s: float
    running_s: float


class Creation(msgspec.Struct):
    """By contender."""

    runs: dict[str, Created]


async def measure(folder: Path, contenders: Mapping[str, Fresh], pipelines: Mapping[str, int]) -> Creation:
    """Create so many pipelines on a fresh cluster of each contender."""
    runs = {}
    for who, fresh in contenders.items():
        place = folder / f"creation-{who}"
        place.mkdir()
        cluster = fresh(place)
        async with cluster.start():
            runs[who] = await _create(cluster, who, pipelines[who])
        created = runs[who]
        say(
            f"creation  {who:13}: {created.pipelines} in {created.confirmed_s:.1f} s, "
            f"all running after {created.running_s:.1f} s"
        )
    return Creation(runs)


async def _create(cluster: Contender, who: str, count: int) -> Created:
    await becomes(cluster.formed, f"a cluster of {who}")
    names = [f"pipeline-{number}" for number in range(count)]
    left = iter(names)

    async def caller() -> None:
        for name in left:
            await cluster.create(name)

    began = time.monotonic()
    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller())
    confirmed_s = time.monotonic() - began

    async def all_run() -> bool:
        return await cluster.running() == count

    await becomes(all_run, f"{count} tasks of {who}")
    return Created(count, confirmed_s, time.monotonic() - began)
