"""`python -m tests.sim.scheduler.figures`: times and moves of decisions with 1,000 nodes and 110,000 tasks."""

from __future__ import annotations

import gc
import statistics
import time

from msgspec.structs import replace

from tests.sim.scheduler.world import World
from wire.cluster.scheduler import SchedulerSettings
from wire.cluster.state import NodeName, TaskKey

NODES = 1_000
JOBS = 10_000
TASKS_OF_JOB = 10
ZONES = 10


def large_world() -> World:
    """A tenth of the jobs asks for one of ten zones; weights are 1 to 3, nodes have 4, 8 or 16 workers."""
    world = World(SchedulerSettings())
    for number in range(NODES):
        world.join(f"node-{number:04}", (4, 8, 16)[number % 3], zone=str(number % ZONES))
    for number in range(JOBS):
        run_job(world, number)
    return world


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


def measured(world: World, name: str, *, rounds: int = 100) -> None:
    """Decide, carry it out and start all tasks until nothing is left; print the first decision's time and the moves."""
    gc.collect()
    before: dict[TaskKey, NodeName | None] = {key: task.target for key, task in world.state.tasks.items()}
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        decision = world.decide()
        times.append(time.process_time() - begun)
        if not decision.commands:
            break
        world.carry_out(decision)
        start_all(world)
    moved = sum(task.target != before.get(key, task.target) for key, task in world.state.tasks.items())
    new = sum(key not in before for key in world.state.tasks)
    print(f"{name:42} {1e3 * times[0]:7.0f} ms {len(times) - 1:4} rounds {new:8,} new {moved:8,} moved", flush=True)


def levels(world: World) -> str:
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
    return f"levels from {min(found) / mean - 1:+.1%} to {max(found) / mean - 1:+.1%} of the mean"


def main() -> None:
    print(f"{NODES:,} nodes, {JOBS * (TASKS_OF_JOB + 1):,} tasks of {JOBS:,} jobs; CPU times of the first decision")
    world = large_world()
    renew(world)
    measured(world, "everything is new, the shares too")
    print(f"  {levels(world)}")
    for key, task in world.state.tasks.items():
        world.state.tasks[key] = replace(task, owner=None, held=(), target=None)
    measured(world, "nothing is placed")
    print(f"  {levels(world)}")
    measured(world, "nothing has changed")
    victim = NodeName("node-0500")
    had = sum(task.target == victim for task in world.state.tasks.values())
    world.die(victim)
    renew(world)
    measured(world, f"a node is dead that had {had}")
    world.come_back(victim)
    renew(world)
    measured(world, "it came back, and counts in full")
    run_job(world, JOBS + 1)
    measured(world, "a job more")
    for number in range(0, NODES, ZONES):
        world.die(NodeName(f"node-{number:04}"))
    renew(world)
    measured(world, "a zone of a hundred nodes is dead")
    print(f"  {levels(world)}; {len(world.decide().unplaced):,} tasks could only run there")
    for number in range(0, NODES, ZONES):
        world.come_back(NodeName(f"node-{number:04}"))
    renew(world)
    measured(world, "it came back, and counts in full")
    print(f"  {levels(world)}")
    world.drain(victim)
    measured(world, "a node is drained")


if __name__ == "__main__":
    main()
