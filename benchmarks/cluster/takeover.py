"""How long the tasks of a node that dies are run by nobody."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks.arithmetic import Spread, spread
from benchmarks.cluster.contender import PLACES, Contender, becomes
from benchmarks.cluster.formation import Fresh
from benchmarks.progress import say

_PIPELINES = 12


class Takeover(msgspec.Struct):
    """By contender, seconds from the SIGKILL of a node until all tasks run on the others, as the cluster tells it."""

    runs_s: dict[str, list[float]]
    seconds: dict[str, Spread]


async def measure(folder: Path, contenders: Mapping[str, Fresh], rounds: int) -> Takeover:
    """Kill a node of a cluster that has just come to rest, `rounds` times of each."""
    runs_s: dict[str, list[float]] = {who: [] for who in contenders}
    for number in range(rounds):
        for who, fresh in contenders.items():
            place = folder / f"takeover-{who}-{number}"
            place.mkdir()
            cluster = fresh(place)
            async with cluster.start():
                runs_s[who].append(await _kill_one(cluster, who))
    for who, found in runs_s.items():
        say(f"takeover  {who:13}: {', '.join(f'{seconds:.1f}' for seconds in found)} s")
    return Takeover(runs_s, {who: spread(found) for who, found in runs_s.items()})


async def _kill_one(cluster: Contender, who: str) -> float:
    await becomes(cluster.formed, f"a cluster of {who}")
    names = [f"pipeline-{number}" for number in range(_PIPELINES)]
    for name in names:
        await cluster.create(name)

    async def spread_out() -> bool:
        found = Counter((await cluster.placed(names)).values())
        return found.total() == len(names) and len(found) == len(PLACES)

    await becomes(spread_out, f"tasks of {who} on all workers")
    victim = PLACES[-1]
    killed_at = time.monotonic()
    cluster.kill(victim)

    async def elsewhere() -> bool:
        found = await cluster.placed(names)
        return len(found) == len(names) and victim not in found.values()

    await becomes(elsewhere, f"tasks of {who} on the workers that are left")
    return time.monotonic() - killed_at
