"""How long it takes from the SIGKILL of a node until all its tasks run on the others, as the cluster tells it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from benchmarks.cluster.contender import PLACES, WIRE, Contender, becomes
from benchmarks.cluster.nodes import Nodes
from benchmarks.cluster.turns import Fresh, Took, in_turn

_PIPELINES = 12


async def measure(folder: Path, contenders: Mapping[str, Fresh], rounds: int) -> Took:
    """Kill a node that leads nothing, of a cluster that has just come to rest, `rounds` times of each contender."""

    async def kill_follower(cluster: Contender, who: str) -> float:
        return await _kill(cluster, who, cluster.follower)

    return await in_turn("takeover", folder, contenders, rounds, kill_follower)


async def measure_leader(folder: Path, rounds: int) -> Took:
    """Kill the node that leads: first another one has to be elected, which then waits for every lease to run out."""

    async def kill_leader(cluster: Nodes, who: str) -> float:
        return await _kill(cluster, who, cluster.leader)

    return await in_turn("succession", folder, {WIRE: Nodes}, rounds, kill_leader)


async def _kill(cluster: Contender, who: str, victim_of: Callable[[], Awaitable[int]]) -> float:
    await becomes(cluster.formed, f"a cluster of {who}")
    names = [f"pipeline-{number}" for number in range(_PIPELINES)]
    for name in names:
        await cluster.create(name)

    async def spread_out() -> bool:
        found = Counter((await cluster.placed(names)).values())
        return found.total() == len(names) and len(found) == len(PLACES)

    await becomes(spread_out, f"tasks of {who} on all workers")
    victim = await victim_of()
    killed_at = time.monotonic()
    cluster.kill(victim)

    async def elsewhere() -> bool:
        found = await cluster.placed(names)
        return len(found) == len(names) and victim not in found.values()

    await becomes(elsewhere, f"tasks of {who} on the workers that are left")
    return time.monotonic() - killed_at
