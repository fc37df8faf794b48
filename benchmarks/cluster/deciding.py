"""How long the scheduler thinks in a cluster far larger than three nodes: its decision alone, in a process of its own.

`python -m benchmarks.cluster.deciding TASK`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.arithmetic import Spread, spread
from benchmarks.processes import module, running
from benchmarks.progress import say
from tests.sim.scheduler import figures
from tests.sim.scheduler.world import World
from wire.cluster.scheduler import SchedulerSettings
from wire.cluster.state import NodeName
from wire.pipelines.engine.process import spare_the_collector

_DEADLINE_S: Final = 600.0


class Task(msgspec.Struct, frozen=True):
    """What the process is to do: decide so often of each kind."""

    nodes: int
    rounds: int


class Deciding(msgspec.Struct):
    """Seconds that a decision took where all tasks are new, a job's partitions not dealt yet, and where a node died."""

    nodes: int
    tasks: int
    new_s: Spread
    dead_s: Spread


async def measure(folder: Path, rounds: int) -> Deciding:
    """Have a process decide about the cluster of the simulation's figures, `rounds` times of each kind."""
    async with running("deciding", module("cluster.deciding", Task(figures.NODES, rounds)), folder) as child:
        found = await child.report(Deciding, _DEADLINE_S)
    say(f"decision on {found.tasks:,} tasks: new {found.new_s.median:.2f} s, a node dead {found.dead_s.median:.2f} s")
    return found


def main() -> None:
    """Measure, and print the result as a line of JSON."""
    task = msgspec.json.decode(sys.argv[1], type=Task)
    spare_the_collector()  # as a node does
    world = World(SchedulerSettings())
    figures.fill(world, task.nodes)
    new_s = [_decide(world) for _ in range(task.rounds)]
    world.carry_out(world.decide())
    figures.start_all(world)
    world.die(NodeName(f"node-{task.nodes // 2:04}"))
    figures.renew(world)
    dead_s = [_decide(world) for _ in range(task.rounds)]
    found = Deciding(task.nodes, len(world.state.tasks), spread(new_s), spread(dead_s))
    print(msgspec.json.encode(found).decode(), flush=True)


def _decide(world: World) -> float:
    began = time.monotonic()
    world.decide()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
