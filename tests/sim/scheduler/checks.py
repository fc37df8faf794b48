"""What must hold: at every decision, and once everything has come to rest. Counted afresh, by looking at everything."""

from __future__ import annotations

from collections import Counter

from tests.sim.scheduler.world import World
from wire.cluster.commands import AssignTasks
from wire.cluster.scheduler import Decision
from wire.cluster.state import DISCOVERY, Job, NodeName, TaskKey


def check_decision(world: World, decision: Decision) -> None:
    """Before it is carried out: nothing goes where it may not, and few running tasks are on their way at once."""
    state, settings = world.state, world.settings
    live = {
        node for node, lease in world.leases.leases().items() if world.now_ms - lease.renewed_ms < settings.lease_ms
    }
    targets: dict[TaskKey, NodeName] = {key: task.target for key, task in state.tasks.items() if task.target}
    for command in decision.commands:
        if not isinstance(command, AssignTasks):
            continue
        assert 0 < len(command.moves) <= settings.max_moves_per_command
        for key, name in command.moves:
            node, wanted = state.nodes[name], state.jobs[key.job].node_selector.items()
            assert name in live, f"{key} goes to {name}, which is not live"
            own = name == state.tasks[key].owner if key in state.tasks else False
            assert own or world.leases.leases()[name].is_renewed, f"{key} goes to {name}, which was not heard"
            assert not node.draining, f"{key} goes to {name}, which is draining"
            assert node.workers, f"{key} goes to {name}, which has no workers"
            assert wanted <= node.labels.items(), f"{key} goes to {name}, which has other labels"
            assert targets.get(key) != name, f"{key} is assigned to {name} again"
            targets[key] = name
    hosts = live & state.nodes.keys()  # from who is no node any more everything is taken at once, lease or not
    before = Counter(task.owner for task in world.running() if task.owner in hosts and task.target != task.owner)
    after = Counter(
        task.owner for task in world.running() if task.owner in hosts and targets.get(task.key) != task.owner
    )
    most = settings.max_moves_per_node
    assert all(many <= max(most, before[node]) for node, many in after.items()), f"too many at once: {after}"
    for key in decision.unplaced:
        assert not [node for node in world.eligible(state.jobs[key.job].id) if node.name in live]


def check_rest(world: World) -> None:
    """When nothing is left to do: every task runs where it may, levels are close, partitions are dealt evenly."""
    assert not world.decide().commands
    check_places(world)
    check_levels(world)
    for job in world.state.jobs.values():
        pipeline = world.state.pipeline_of(job.id)
        if pipeline is not None and pipeline.job == job.id and pipeline.desired == "running":
            check_shares(world, job)


def check_places(world: World) -> None:
    unplaced = {}
    for task in world.running():
        eligible = [node.name for node in world.eligible(task.key.job)]
        if not eligible:
            unplaced[task.key] = task
            continue
        assert task.target in eligible, f"{task.key} is on {task.target}, not on one of {eligible}"
        assert task.owner == task.target, f"{task.key} does not run"
    assert unplaced.keys() == world.last.unplaced.keys()


def check_levels(world: World) -> None:
    """Nobody has a task that another one should have."""
    loads = {name: world.load(name) for name in world.state.nodes}
    for task in world.readers():
        if task.target is None:
            continue
        mine, weight = world.state.nodes[task.target], world.weight(task)
        for node in world.eligible(task.key.job):
            if node.name != task.target and mine.workers and task.target not in world.silent and not mine.draining:
                level, other = loads[mine.name] / mine.workers, (loads[node.name] + weight) / node.workers
                assert level <= (1 + world.settings.tolerance) * other + 1e-6, f"{task.key} belongs on {node.name}"


def check_shares(world: World, job: Job) -> None:
    shares = [task.share for task in world.state.tasks_of(job.id) if task.key.slot != DISCOVERY and task.share]
    workers = sum(node.workers for node in world.eligible(job.id))
    found = job.partitions or ()
    if shares or workers:
        assert sorted(each for share in shares for each in share) == sorted(found)
    if shares:
        sizes = [len(share) for share in shares]
        assert max(sizes) - min(sizes) <= 1
        if job.parallelism is not None:
            assert len(shares) == min(job.parallelism, len(found))
        assert len(shares) == len(found) or job.parallelism or 3 * len(shares) > 2 * workers
