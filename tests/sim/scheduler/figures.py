"""`python -m tests.sim.scheduler.figures`: times and moves of decisions with 1,000 nodes and 110,000 tasks.

It fails where a change moves more than a tenth more tasks than it concerns, or leaves a node with more than a tenth
more or less than the mean. Times are only printed: the benchmarks measure them.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Collection
from typing import Final

from msgspec.structs import replace

from tests.sim.scheduler.world import World
from wire.cluster.scheduler import SchedulerSettings
from wire.cluster.state import NodeName, TaskKey
from wire.pipelines.engine.process import spare_the_collector

NODES: Final = 1_000
JOBS_OF_NODE: Final = 10
TASKS_OF_JOB: Final = 10
ZONES: Final = 10
TOLERANCE: Final = 0.1
_MOST_ROUNDS: Final = 20


def fill(world: World, nodes: int) -> None:
    """A tenth of the jobs asks for one of ten zones; weights are 1 to 3, nodes have 4, 8 or 16 workers."""
    for number in range(nodes):
        world.join(f"node-{number:04}", (4, 8, 16)[number % 3], zone=str(number % ZONES))
    for number in range(JOBS_OF_NODE * nodes):
        run_job(world, number)
    renew(world)


def run_job(world: World, number: int) -> None:
    labels = {"zone": str(number // 10 % ZONES)} if number % 10 == 0 else {}
    world.run(2 * TASKS_OF_JOB, parallelism=TASKS_OF_JOB, weight=1 + number % 3, **labels)


def renew(world: World) -> None:
    """Let so much time pass that every node counts in full; those that are silent are dead."""
    for _ in range(2 * world.settings.return_ms // 1_000):
        world.now_ms += 1_000
        for node in world.state.nodes:
            if node not in world.silent:
                world.leases.renew(node, world.now_ms)


def start_all(world: World) -> None:
    """Every task is started where it is to run, if somebody is there."""
    for key, task in world.state.tasks.items():
        if task.owner != task.target and task.target not in world.silent:
            world.state.tasks[key] = replace(task, owner=task.target, held=task.share)


def unplace_all(world: World) -> None:
    for key, task in world.state.tasks.items():
        world.state.tasks[key] = replace(task, owner=None, held=(), target=None)


def count_on(world: World, nodes: Collection[NodeName]) -> int:
    return sum(task.target in nodes for task in world.state.tasks.values())


def levels(world: World) -> tuple[float, float]:
    """The least and the most loaded node that takes work, in proportion to the mean."""
    loads = dict.fromkeys(world.state.nodes, 0.0)
    for task in world.running():
        if task.target is not None:
            loads[task.target] += world.weight(task)
    found = [
        loads[name] / node.workers
        for name, node in world.state.nodes.items()
        if name not in world.silent and not node.draining
    ]
    mean = statistics.mean(found)
    return min(found) / mean - 1, max(found) / mean - 1


class Figures:
    """Changes a world, one thing after the other, and keeps what is out of bounds in `complaints`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.complaints: list[str] = []

    def change(self, name: str, act: Callable[[], None] = lambda: None, *, concerned: int = 0) -> None:
        """Let it happen, then decide, carry out and start all until nothing is left; print and check what came of it.

        `concerned` is how many tasks would have to be moved. Those that had no node before are not counted as moved.
        """
        act()
        before: dict[TaskKey, NodeName | None] = {key: task.target for key, task in self.world.state.tasks.items()}
        times = self._settle()
        moved = new = 0
        for key, task in self.world.state.tasks.items():
            if before.get(key) is None:
                new += task.target is not None
            else:
                moved += task.target != before[key]
        least, most = levels(self.world)
        print(
            f"{name:42} {1e3 * times[0]:7.0f} ms {len(times) - 1:4} rounds {new:8,} new {moved:8,} moved, "
            f"levels {least:+.1%} to {most:+.1%}",
            flush=True,
        )
        if len(times) > _MOST_ROUNDS:
            self.complaints.append(f"{name}: there is no end to the decisions")
        if moved > concerned * (1 + TOLERANCE):
            self.complaints.append(f"{name}: {moved:,} tasks moved, where {concerned:,} had to")
        if max(-least, most) > TOLERANCE:
            self.complaints.append(f"{name}: the levels are from {least:+.1%} to {most:+.1%} of their mean")

    def _settle(self) -> list[float]:
        """Return the CPU time of each decision. The last one has decided nothing, unless there is no end to it."""
        gc.collect()
        times: list[float] = []
        while len(times) <= _MOST_ROUNDS:
            begun = time.process_time()
            decision = self.world.decide()
            times.append(time.process_time() - begun)
            if not decision.commands:
                break
            self.world.carry_out(decision)
            start_all(self.world)
        return times


def run(world: World, nodes: int) -> list[str]:
    """Put a new world through everything, and return what was out of bounds."""
    fill(world, nodes)
    figures = Figures(world)
    victim = NodeName(f"node-{nodes // 2:04}")
    zone = {NodeName(f"node-{number:04}") for number in range(0, nodes, ZONES)}

    def die(*dead: NodeName) -> None:
        for node in dead:
            world.die(node)
        renew(world)

    def come_back(*nodes: NodeName) -> None:
        for node in nodes:
            world.come_back(node)
        renew(world)

    figures.change("everything is new, the shares too")
    figures.change("nothing is placed", lambda: unplace_all(world))
    figures.change("nothing has changed")
    had = count_on(world, {victim})
    figures.change(f"a node is dead that had {had}", lambda: die(victim), concerned=had)
    figures.change("it came back, and counts in full", lambda: come_back(victim), concerned=had)
    figures.change("a job more", lambda: run_job(world, JOBS_OF_NODE * nodes + 1))
    had = count_on(world, zone)
    figures.change(f"a zone is dead that had {had:,}", lambda: die(*zone), concerned=had)
    print(f"  {len(world.decide().unplaced):,} tasks could only run there")
    figures.change("it came back, and counts in full", lambda: come_back(*zone), concerned=had)
    had = count_on(world, {victim})
    figures.change(f"a node is drained that had {had}", lambda: world.drain(victim), concerned=had)
    return figures.complaints


def main() -> int:
    tasks = JOBS_OF_NODE * NODES * (TASKS_OF_JOB + 1)
    print(f"{NODES:,} nodes, {tasks:,} tasks; CPU times of the first decision, levels beside their mean")
    spare_the_collector()  # as a node does
    complaints = run(World(SchedulerSettings()), NODES)
    for complaint in complaints:
        print(f"out of bounds: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
