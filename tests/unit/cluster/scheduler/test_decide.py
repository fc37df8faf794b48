"""What a decision promises whatever the world is like, and the commands that are about jobs rather than nodes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.sim.scheduler.checks import check_decision
from tests.sim.scheduler.model import let_go, start
from tests.sim.scheduler.world import QUICK, World
from wire.cluster.commands import AssignTasks, DealShares, Prove
from wire.cluster.scheduler import ACTOR, Liveness, SchedulerSettings
from wire.cluster.state import JobId, NodeName, TaskKey

NAMES = [NodeName(name) for name in ("a", "b", "c", "d", "e", "gone")]
LABELS = st.sampled_from([{}, {}, {"zone": "1"}, {"zone": "2"}])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Small worlds in any condition, also in ones that nothing we know of leads to."""
    world = World(QUICK)
    world.now_ms = 1_000_000
    world.state.last_epoch = 100
    for name in draw(st.sets(st.sampled_from(NAMES[:-1]))):
        world.join(name, draw(st.integers(0, 4)), **draw(LABELS))
        world.drain(name, draw(st.booleans()) and draw(st.booleans()))
    granted = {
        name: Liveness(
            (renewed_ms := world.now_ms - draw(st.integers(0, 5_000))) - draw(st.sampled_from([0, 1, 1_000, 8_000])),
            renewed_ms,
        )
        for name in sorted(draw(st.sets(st.sampled_from(NAMES))))
    }
    world.leases = SimpleNamespace(leases=lambda: granted)
    for _ in range(draw(st.integers(0, 5))):
        job = world.run(
            draw(st.integers(0, 8)),
            parallelism=draw(st.sampled_from([None, 1, 3, 6])),
            weight=draw(st.integers(0, 4)),
            **draw(LABELS),
        )
        if draw(st.booleans()):
            world.carry_out(world.decide())
            world.find(job, draw(st.integers(0, 8)))
    for task in world.running():
        world.state.tasks[task.key] = replace(
            task,
            target=draw(st.sampled_from([None, *NAMES])),
            owner=draw(st.sampled_from([None, task.target, *NAMES])),
            ended=draw(st.integers(0, 9)) == 0,
            epoch=draw(st.integers(0, 100)),
            moved_ms=world.at_ms - draw(st.sampled_from([-5_000, 0, 2_000, 10_000])),
        )
    return world


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_a_decision_is_the_same_again_and_leaves_nothing_to_decide(world: World) -> None:
    decision = world.decide()
    assert world.decide() == decision
    check_decision(world, decision)
    world.carry_out(decision)
    assert world.decide().commands == ()
    assert world.decide().unplaced.keys() <= decision.unplaced.keys()


@pytest.mark.parametrize("target", [None, "f"])
def test_tasks_that_go_back_to_where_they_run_do_not_keep_others_from_leaving(target: str | None) -> None:
    world = World()
    for name in "ae":
        world.join(name, zone="1")
    world.join("f", 0)
    labelled, many = world.run(1, zone="1"), world.run(3)
    world.find(labelled, 1)
    world.carry_out(world.decide())
    for task in world.running():
        meant = None if target is None else NodeName(target)
        meant = NodeName("e") if task.key.job == labelled else meant
        world.state.tasks[task.key] = replace(task, target=meant, owner=NodeName("e"))
    world.label(NodeName("e"))
    world.carry_out(world.decide())
    assert {task.target for task in world.state.tasks_of(labelled)} == {"a"}
    assert {task.target for task in world.state.tasks_of(many) if task.share} == {"e"}
    assert world.decide().commands == ()


def test_nothing_is_nothing_to_do() -> None:
    assert World().decide().commands == ()


def test_commands_say_who_asks_and_when() -> None:
    world = World()
    world.join("a")
    world.run(3)
    assert {(command.actor, command.at_ms) for command in world.decide().commands} == {(ACTOR, world.at_ms)}


# shares


def shares(world: World, job: JobId) -> int:
    return len([task for task in world.state.tasks_of(job) if task.share])


def test_auto_is_a_task_for_each_worker_of_the_nodes_that_may_run_it() -> None:
    world = World()
    world.join("a", 4, zone="1")
    world.join("b", 3, zone="1")
    world.join("c", 8, zone="2")
    job = world.run(100, zone="1")
    world.tick()
    assert shares(world, job) == 7


def test_a_job_that_may_run_nowhere_is_dealt_when_it_may_run_somewhere() -> None:
    world = World()
    job = world.run(100)
    world.tick()
    assert shares(world, job) == 0
    world.join("a", 4)
    world.tick()
    assert shares(world, job) == 4


def test_a_node_that_dies_and_comes_back_does_not_have_a_job_dealt_anew() -> None:
    world = World()
    for name in "abc":
        world.join(name, 4)
    job = world.run(100)
    world.settle()
    for change in (world.die, world.come_back):
        change(NodeName("c"))
        world.settle()
        assert world.state.jobs[job].shares_revision == 1


def test_a_cluster_that_grows_by_half_has_jobs_dealt_anew() -> None:
    world = World()
    world.join("a", 4)
    world.join("b", 4)
    job = world.run(100)
    world.settle()
    world.join("c", 4)
    world.settle()
    assert shares(world, job) == 12


def test_when_the_last_partition_goes_so_do_the_tasks() -> None:
    world = World()
    world.join("a", 4)
    job = world.run(3)
    world.settle()
    world.find(job, 0)
    assert any(isinstance(command, DealShares) and command.shares == () for command in world.tick().commands)
    world.settle()
    assert shares(world, job) == 0


def test_a_task_that_had_read_everything_runs_again_with_more_to_read() -> None:
    world = World()
    world.join("a")
    job = world.run(1, parallelism=1)
    world.settle()
    key = TaskKey(job, 0)
    world.state.tasks[key] = replace(world.state.tasks[key], ended=True, owner=None, target=None, held=())
    assert not world.tick().commands
    world.find(job, 2)
    world.tick()
    assert world.state.tasks[key].owner == "a"


# grace

GRACE_MS = SchedulerSettings().grace_ms


def proven(world: World) -> list[JobId]:
    return [command.job for command in world.decide().commands if isinstance(command, Prove)]


def test_a_job_is_proven_once_when_all_its_tasks_have_run_for_the_grace_period() -> None:
    world = World(SchedulerSettings())
    world.join("a", 2)
    job = world.run(2)
    world.tick()
    world.pass_ms(GRACE_MS - 500)
    assert not proven(world)
    world.now_ms += 500
    world.leases.renew(NodeName("a"), world.now_ms)
    assert proven(world) == [job]
    world.carry_out(world.decide())
    assert not proven(world)


def test_time_in_which_a_job_could_not_run_does_not_prove_it() -> None:
    world = World(SchedulerSettings())
    job = world.run(2, parallelism=2)
    world.pass_ms(2 * GRACE_MS)
    world.join("a", 2)
    world.pass_ms(GRACE_MS)
    assert world.state.pipelines[world.state.jobs[job].pipeline].proven is None
    world.pass_ms(500)
    assert world.state.pipelines[world.state.jobs[job].pipeline].proven == 1


def test_a_job_whose_task_is_started_again_and_again_is_not_proven() -> None:
    world = World(SchedulerSettings())
    a = world.join("a", 2)
    job = world.run(2, parallelism=2)
    key = TaskKey(job, 1)
    for _ in range(4 * GRACE_MS // 1_000):
        world.pass_ms(1_000)
        let_go(world.state, world.state.tasks[key])
        start(world.state, a, world.at_ms)
    assert world.state.pipelines[world.state.jobs[job].pipeline].proven is None
    world.pass_ms(GRACE_MS + 500)
    assert world.state.pipelines[world.state.jobs[job].pipeline].proven == 1


def test_a_job_of_which_a_task_does_not_run_is_not_proven() -> None:
    world = World(SchedulerSettings())
    a = world.join("a", 2)
    job = world.run(2, parallelism=2)
    world.pass_ms(GRACE_MS)
    key = TaskKey(job, 1)
    world.state.tasks[key] = replace(world.state.tasks[key], owner=None)
    world.now_ms += 1_000
    world.leases.renew(a, world.now_ms)
    assert not proven(world)


def test_tasks_that_lose_their_partitions_are_on_their_way_from_their_node_like_those_that_move() -> None:
    world = World(QUICK)
    world.join("a", 4, zone="1")
    world.join("b", 4)
    others, losing = world.run(4, zone="1"), world.run(4, zone="1")
    world.settle()
    world.label(NodeName("b"), zone="1")
    world.drain(NodeName("a"))
    moved = {
        key.job for command in world.decide().commands if isinstance(command, AssignTasks) for key, _ in command.moves
    }
    assert others in moved
    world.find(losing, 0)
    assert [type(command) for command in world.decide().commands] == [DealShares]
