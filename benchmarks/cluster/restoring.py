"""How long a cluster that was stopped needs until it answers again, with many pipelines in its snapshots."""

from __future__ import annotations

import asyncio
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
    """Create stopped pipelines, take a snapshot on every node, stop all nodes, and start them again."""
    place = folder / "restoring"
    place.mkdir()
    nodes = Nodes(place)
    async with nodes.start():
        await becomes(nodes.formed, "a cluster")
        left = iter(range(pipelines))

        async def caller() -> None:
            for number in left:
                await nodes.create(f"pipeline-{number}")
                await nodes.stop(f"pipeline-{number}")

        async with asyncio.TaskGroup() as callers:
            for _ in range(CALLERS):
                callers.create_task(caller())
        for client in nodes.clients:
            (await client.post("/api/v1/cluster/snapshots")).raise_for_status()
    async with nodes.start():
        seconds = await becomes(nodes.formed, "the cluster again")
        for number in PLACES:
            if await nodes.count(number) != pipelines:
                raise RunError("a pipeline is gone after a restart")
    say(f"restart with {pipelines} pipelines: {seconds:.1f} s")
    return Restoring(pipelines, seconds)
