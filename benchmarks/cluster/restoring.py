"""How long a cluster that was killed needs until it answers again, with many running pipelines in its snapshots."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import msgspec

from benchmarks.cluster.contender import PLACES, becomes
from benchmarks.cluster.creation import CALLERS
from benchmarks.cluster.nodes import Nodes
from benchmarks.processes import RunError
from benchmarks.progress import say


class Restoring(msgspec.Struct):
    """Seconds from spawning three nodes, whose pipelines are all in their snapshots, until all say they are ready."""

    pipelines: int
    seconds: float


async def measure(folder: Path, pipelines: int) -> Restoring:
    """Have pipelines run until each has a checkpoint, take a snapshot on every node, kill all, and start them again."""
    place = folder / "restoring"
    place.mkdir()
    nodes = Nodes(place)
    names = [f"pipeline-{number}" for number in range(pipelines)]
    async with nodes.start():
        await becomes(nodes.formed, "a cluster")
        left = iter(names)

        async def caller() -> None:
            for name in left:
                await nodes.create(name, rate=1)

        async with asyncio.TaskGroup() as callers:
            for _ in range(CALLERS):
                callers.create_task(caller())
        for name in names:
            await becomes(functools.partial(_has_run, nodes, name), f"a checkpoint of {name}")
        for client in nodes.clients:
            (await client.post("/api/v1/cluster/snapshots")).raise_for_status()
        for number in PLACES:
            nodes.kill(number)
    async with nodes.start():
        seconds = await becomes(nodes.formed, "the cluster again")
        for number in PLACES:
            if await nodes.count(number) != pipelines:
                raise RunError("a pipeline is gone after a restart")
        for name in names:
            if not await _has_run(nodes, name):
                raise RunError(f"the checkpoint of {name} is gone after a restart")
    say(f"restart with {pipelines} pipelines: {seconds:.1f} s")
    return Restoring(pipelines, seconds)


async def _has_run(nodes: Nodes, name: str) -> bool:
    return bool(await nodes.checkpoints(name))
