"""Where tasks go that have no node, or can't stay on theirs."""

from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace

from tests.sim.scheduler.world import World
from wire.cluster.commands import AssignTasks, DealShares, RevokeNode
from wire.cluster.scheduler import SchedulerSettings
from wire.cluster.state import DISCOVERY, JobId, NodeName, TaskKey

SETTINGS = SchedulerSettings(settle_ms=1_000, max_moves_per_node=2)


@pytest.fixture
def world() -> World:
    return World(SETTINGS)


def places(world: World, job: JobId) -> Counter[str | None]:
    return Counter(task.target for task in world.state.tasks_of(job) if task.key.slot != DISCOVERY)


def test_a_job_that_begins_is_dealt_and_placed_in_one_go(world: World) -> None:
    world.join("a", 2)
    job = world.run(3)
    deal, assign = world.decide().commands
    assert isinstance(deal, DealShares)
    assert isinstance(assign, AssignTasks)
    assert (deal.job, deal.if_shares_revision, len(deal.shares)) == (job, 0, 2)
    assert sorted(assign.moves) == [(TaskKey(job, slot), "a") for slot in (DISCOVERY, 0, 1)]


def test_before_its_partitions_are_known_only_the_discovery_of_a_job_runs(world: World) -> None:
    world.join("a", 2)
    job = world.run(3)
    world.state.jobs[job] = replace(world.state.jobs[job], partitions=None)
    (assign,) = world.decide().commands
    assert isinstance(assign, AssignTasks)
    assert assign.moves == ((TaskKey(job, DISCOVERY), "a"),)


def test_tasks_of_a_job_are_spread_before_they_share_a_node(world: World) -> None:
    for name in "abc":
        world.join(name, 8)
    other = world.run(1)
    job = world.run(3)
    world.tick()
    assert places(world, job) == {"a": 1, "b": 1, "c": 1}
    assert places(world, other).total() == 1


def test_a_loaded_node_is_not_loaded_more_to_spread_a_job(world: World) -> None:
    world.join("a", 4)
    world.run(8, parallelism=8)
    world.tick()
    world.join("b", 4)
    world.state.nodes[NodeName("a")] = replace(world.state.nodes[NodeName("a")], labels={"full": "yes"})
    for task in world.readers():
        job = world.state.jobs[task.key.job]
        world.state.jobs[job.id] = replace(job, node_selector={"full": "yes"})
    world.settle()
    job = world.run(3, parallelism=3)
    world.tick()
    assert places(world, job) == {"b": 3}


def test_nodes_get_tasks_in_proportion_to_their_workers(world: World) -> None:
    for name, workers in (("a", 2), ("b", 4), ("c", 10)):
        world.join(name, workers)
    for _ in range(16):
        world.run(2, parallelism=2)
    world.tick()
    assert Counter(task.target for task in world.readers()) == {"a": 4, "b": 8, "c": 20}


def test_heavy_tasks_count_for_what_they_weigh(world: World) -> None:
    world.join("a", 4)
    world.join("b", 4)
    light, heavy = world.run(6, parallelism=6), world.run(2, parallelism=2, weight=3)
    world.tick()
    assert places(world, heavy) == {"a": 1, "b": 1}
    assert places(world, light) == {"a": 3, "b": 3}


def test_the_heaviest_tasks_are_placed_first(world: World) -> None:
    world.join("a", 4)
    world.join("b", 4)
    light, heavy = world.run(3, parallelism=3), world.run(1, parallelism=1, weight=3)
    world.tick()
    assert places(world, heavy) == {"a": 1}
    assert places(world, light) == {"b": 3}


def test_what_is_placed_already_is_not_counted_again_among_what_is_to_come(world: World) -> None:
    world.join("a", full="yes")
    world.join("b")
    world.run(5, parallelism=5, full="yes")
    world.settle()
    heavy, light = world.run(1, parallelism=1, weight=2), world.run(3, parallelism=3)
    world.tick()
    assert places(world, heavy) == {"b": 1}
    assert places(world, light) == {"b": 3}


def test_the_discoveries_of_many_jobs_are_spread(world: World) -> None:
    for name in "abc":
        world.join(name, 4)
    for _ in range(9):
        world.run(0)
    world.tick()
    assert Counter(task.target for task in world.running()) == {"a": 3, "b": 3, "c": 3}


def test_labels_are_kept_to(world: World) -> None:
    world.join("a", zone="1", disk="ssd")
    world.join("b", zone="1")
    world.join("c", zone="2", disk="ssd")
    job = world.run(4, parallelism=4, zone="1", disk="ssd")
    world.settle()
    assert places(world, job) == {"a": 4}
    world.label(NodeName("a"), zone="3")
    world.label(NodeName("b"), zone="1", disk="ssd")
    world.settle()
    assert places(world, job) == {"b": 4}


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({}, "every live node is draining or has no workers"),
        ({"zone": "1"}, "every live node with labels zone=1 is draining or has no workers"),
        ({"zone": "9", "disk": "ssd"}, "no live node has labels disk=ssd, zone=9"),
        ({"zone": "2"}, "no live node has labels zone=2"),
    ],
)
def test_who_has_no_node_is_told_why(world: World, labels: dict[str, str], reason: str) -> None:
    world.join("a", zone="1")
    world.join("b", 0, zone="1")
    world.join("c", zone="2")
    world.drain(NodeName("a"))
    world.die(NodeName("c"))
    world.pass_ms(SETTINGS.lease_ms + SETTINGS.settle_ms)
    job = world.run(1, parallelism=1, **labels)
    decision = world.tick()
    assert decision.unplaced == {TaskKey(job, DISCOVERY): reason, TaskKey(job, 0): reason}


def test_without_any_node_that_is_what_is_told(world: World) -> None:
    job = world.run(1, zone="1")
    assert world.decide().unplaced == {TaskKey(job, DISCOVERY): "no node is live"}


def test_what_is_paused_ended_or_done_is_not_placed(world: World) -> None:
    world.join("a")
    paused, ended, done = world.run(1, parallelism=1), world.run(1, parallelism=1), world.run(1, parallelism=1)
    world.pause(paused)
    world.end(ended)
    world.state.jobs[done] = replace(world.state.jobs[done], state="done")
    assert world.decide().commands == ()
    world.pause(paused, False)
    assert {command.job for command in world.decide().commands if isinstance(command, DealShares)} == {paused}


def test_a_task_that_has_read_everything_is_not_placed_again(world: World) -> None:
    world.join("a")
    job = world.run(2, parallelism=2)
    world.settle()
    world.state.tasks[TaskKey(job, 0)] = replace(world.state.tasks[TaskKey(job, 0)], ended=True, owner=None)
    world.join("b")
    world.die(NodeName("a"))
    world.settle()
    assert [task.target for task in world.state.tasks_of(job)] == ["b", "a", "b"]


def test_a_large_assignment_is_cut_into_commands(world: World) -> None:
    world.settings = SchedulerSettings(max_moves_per_command=4)
    world.join("a", 9)
    world.run(9)
    _, *assign = world.decide().commands
    assert [len(each.moves) for each in assign if isinstance(each, AssignTasks)] == [4, 4, 2]


# who dies


def test_a_dead_node_loses_its_tasks_with_its_lease_and_others_get_them_a_little_later(world: World) -> None:
    a, b = world.join("a"), world.join("b")
    job = world.run(2, parallelism=2)
    world.settle()
    world.die(a)
    world.pass_ms(SETTINGS.lease_ms - 500)
    assert not world.last.commands
    (revoke,) = world.tick().commands
    assert isinstance(revoke, RevokeNode)
    assert (revoke.node, revoke.last_epoch) == (a, world.state.last_epoch)
    world.pass_ms(SETTINGS.settle_ms - 500)
    assert not world.last.commands
    world.tick()
    assert places(world, job) == {b: 2}


def test_only_the_tasks_of_a_dead_node_move(world: World) -> None:
    for name in "abcde":
        world.join(name, 4)
    for _ in range(10):
        world.run(8)
    world.settle()
    lost = {task.key for task in world.running() if task.target == "c"}
    world.moves.clear()
    world.die(NodeName("c"))
    world.settle()
    assert world.moves == dict.fromkeys(lost, 1)


def test_a_node_that_is_back_in_time_keeps_its_tasks(world: World) -> None:
    a, _ = world.join("a"), world.join("b")
    job = world.run(2, parallelism=2)
    world.settle()
    world.die(a)
    world.pass_ms(SETTINGS.lease_ms + 500)
    world.come_back(a)
    assert not world.settle()
    assert places(world, job) == {"a": 1, "b": 1}


def test_a_new_leader_waits_for_a_lease_before_it_takes_anything_away(world: World) -> None:
    a, b = world.join("a"), world.join("b")
    world.run(2, parallelism=2)
    world.settle()
    world.die(a)
    world.pass_ms(SETTINGS.lease_ms - 500)
    world.new_leader()
    world.pass_ms(SETTINGS.lease_ms - 500)
    assert {task.owner for task in world.readers()} == {a, b}
    world.tick()
    assert {task.owner for task in world.readers()} == {None, b}


def test_a_new_leader_gives_nothing_to_a_node_that_it_has_not_heard(world: World) -> None:
    a, b = world.join("a"), world.join("b")
    world.run(4, parallelism=4)
    world.settle()
    world.die(a)
    world.settle()
    job = world.run(4, parallelism=4)
    world.moves.clear()
    world.new_leader()
    assert not [command for command in world.decide().commands if isinstance(command, AssignTasks)]
    world.settle()
    assert world.moves == {task.key: 1 for task in world.state.tasks_of(job)}
    assert {task.target for task in world.running()} == {b}


def test_a_node_gets_nothing_before_it_was_heard_twice(world: World) -> None:
    a = world.join("a")
    world.new_leader()
    job = world.run(1, parallelism=1)
    decision = world.decide()
    assert not [command for command in decision.commands if isinstance(command, AssignTasks)]
    assert decision.unplaced == {}  # it will be heard, or be over
    world.tick()
    assert places(world, job) == {a: 1}


def test_those_with_the_least_choice_are_placed_first() -> None:
    world = World(SETTINGS)
    world.join("a", 4, disk="ssd")
    world.join("b", 4)
    anywhere = world.run(6, parallelism=6, weight=2)
    ssd = world.run(8, parallelism=8, disk="ssd")
    world.tick()
    assert places(world, ssd) == {"a": 8}
    assert places(world, anywhere) == {"b": 5, "a": 1}
    assert not world.settle()


def test_nobody_waits_for_a_node_that_was_removed(world: World) -> None:
    a, b = world.join("a"), world.join("b")
    job = world.run(2, parallelism=2)
    world.settle()
    world.remove(a)
    world.tick()
    assert places(world, job) == {b: 2}


def test_when_there_is_nobody_else_a_dead_nodes_tasks_wait_for_it(world: World) -> None:
    a = world.join("a")
    job = world.run(1, parallelism=1)
    world.settle()
    world.die(a)
    world.settle()
    assert set(world.last.unplaced.values()) == {"no node is live"}
    world.come_back(a)
    world.tick()
    assert {task.owner for task in world.state.tasks_of(job)} == {a}


def test_a_task_whose_next_node_dies_stays_where_it_still_runs(world: World) -> None:
    a, b, c = world.join("a"), world.join("b"), world.join("c")
    job = world.run(1, parallelism=1)
    world.settle()
    key = TaskKey(job, 0)
    world.state.tasks[key] = replace(world.state.tasks[key], owner=a, target=b)
    world.leases.forget(b)
    moves = [move for each in world.decide().commands if isinstance(each, AssignTasks) for move in each.moves]
    assert (key, a) in moves
    assert c  # though it has nothing to do


# who is drained


def test_a_draining_node_gives_its_tasks_away_a_few_at_a_time(world: World) -> None:
    a, b = world.join("a", 4), world.join("b", 4)
    world.run(10, parallelism=10)
    world.settle()
    world.drain(a)
    while any(task.target == a for task in world.running()):
        assert len([task for task in world.running() if task.owner == a]) > 0
        world.carry_out(world.decide())
        leaving = [task for task in world.running() if task.owner == a and task.target == b]
        assert len(leaving) <= SETTINGS.max_moves_per_node
        assert not world.decide().commands  # not more before these have gone
        for task in leaving:
            world.state.tasks[task.key] = replace(task, owner=b, held=task.share)
    assert not world.decide().commands


def test_what_does_not_run_on_a_draining_node_leaves_it_at_once(world: World) -> None:
    a, b = world.join("a", 4), world.join("b", 4)
    world.run(10, parallelism=10)
    world.carry_out(world.decide())
    world.drain(a)
    world.carry_out(world.decide())
    assert {task.target for task in world.running()} == {b}


def test_a_draining_node_keeps_what_nobody_else_may_run(world: World) -> None:
    a, _ = world.join("a", zone="1"), world.join("b", zone="2")
    job = world.run(1, parallelism=1, zone="1")
    world.settle()
    world.drain(a)
    assert not world.decide().commands
    reason = world.decide().unplaced[TaskKey(job, 0)]
    assert reason == "every live node with labels zone=1 is draining or has no workers"


def at_home(world: World, job: JobId, node: NodeName) -> None:
    found = world.state.jobs[job]
    world.state.jobs[job] = replace(found, keeps_files=True)
    world.state.pipelines[found.pipeline] = replace(world.state.pipelines[found.pipeline], home=node)


def test_who_has_files_on_a_node_runs_nowhere_else(world: World) -> None:
    for name in "abc":
        world.join(name, 4)
    others = [world.run(8, parallelism=8) for _ in range(3)]
    job = world.run(4, parallelism=1)
    at_home(world, job, NodeName("b"))
    world.settle()
    assert places(world, job) == {"b": 1}
    assert sum((places(world, other) for other in others), Counter()).total() == 24


def test_who_has_files_on_a_node_waits_for_it(world: World) -> None:
    a = world.join("a", 4)
    world.join("b", 4)
    job = world.run(4, parallelism=1)
    at_home(world, job, a)
    world.settle()
    world.die(a)
    for _ in range(60):
        world.tick()
    assert places(world, job)["b"] == 0
    assert world.last.unplaced[TaskKey(job, 0)] == "its files are on a, which is not live"
    world.come_back(a)
    world.settle()
    assert places(world, job) == {"a": 1}
    assert world.state.tasks[TaskKey(job, 0)].owner == a


def test_who_has_files_on_a_node_that_drains_is_not_moved(world: World) -> None:
    a = world.join("a", 4)
    world.join("b", 4)
    job = world.run(4, parallelism=1)
    at_home(world, job, a)
    world.settle()
    world.drain(a)
    for _ in range(20):
        world.tick()
    assert places(world, job) == {"a": 1}
    assert world.last.unplaced[TaskKey(job, 0)] == "its files are on a, which is draining or has no workers"


def test_labels_that_a_home_does_not_have_are_told(world: World) -> None:
    a = world.join("a", 4)
    world.join("b", 4, zone="z")
    job = world.run(4, parallelism=1, zone="z")
    at_home(world, job, a)
    world.tick()
    reason = "its files are on a, which is without the labels that are asked for"
    assert world.last.unplaced == {TaskKey(job, 0): reason}
