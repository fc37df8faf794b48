"""How long it takes from the SIGKILL of a node until all its tasks run on the others, as the cluster tells it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from benchmarks.cluster.contender import PLACES, Contender, becomes
from benchmarks.cluster.turns import Fresh, Took, in_turn

_PIPELINES = 12


async def measure(folder: Path, contenders: Mapping[str, Fresh], rounds: int) -> Took:
    """Kill a node of a cluster that has just come to rest, `rounds` times of each contender."""
    return await in_turn("takeover", folder, contenders, rounds, _kill_one)


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
