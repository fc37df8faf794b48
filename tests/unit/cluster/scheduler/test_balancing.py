"""Which running tasks are moved, when, and how many."""

from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace

from tests.sim.scheduler.world import World
from wire.cluster.commands import AssignTasks
from wire.cluster.scheduler import SchedulerSettings
from wire.cluster.state import NodeName

SETTINGS = SchedulerSettings()


@pytest.fixture
def world() -> World:
    return World(SETTINGS)


def readers(world: World) -> dict[str, int]:
    return {name: len(world.readers(name)) for name in world.state.nodes}


def test_a_node_that_joins_gets_its_part_and_nobody_else_gets_anything(world: World) -> None:
    for name in "abc":
        world.join(name, 4)
    for _ in range(12):
        world.run(10, parallelism=10)
    world.settle()
    assert readers(world) == {"a": 40, "b": 40, "c": 40}
    before = {task.key: task.target for task in world.running()}
    world.moves.clear()
    world.join("d", 4)
    world.settle()
    moved = [task for task in world.running() if task.target != before[task.key]]
    assert {task.target for task in moved} == {"d"}
    assert 27 <= len(moved) <= 30  # a quarter, or what is within the tolerance of it
    assert world.moves == dict.fromkeys((task.key for task in moved), 1)
    assert max(readers(world).values()) <= 31


def test_what_is_within_the_tolerance_stays(world: World) -> None:
    a, b = world.join("a"), world.join("b")
    job = world.run(21, parallelism=21)
    world.settle()
    for task in world.readers():
        world.state.tasks[task.key] = replace(task, owner=a, target=a) if task.key.slot < 11 else task
    for task in world.readers():
        if task.key.slot >= 11:
            world.state.tasks[task.key] = replace(task, owner=b, target=b)
    assert len(world.state.tasks_of(job)) == 22
    assert not world.decide().commands


def test_one_task_more_is_not_worth_a_move(world: World) -> None:
    world.join("a")
    world.run(1, parallelism=1)
    world.settle()
    world.join("b")
    assert not world.settle()


def test_one_heavy_task_moves_rather_than_many_light_ones() -> None:
    world = World(SchedulerSettings(return_ms=0))
    a = world.join("a")
    world.run(10, parallelism=10)
    world.run(1, parallelism=1, weight=10)
    world.settle()
    world.moves.clear()
    world.join("b")
    world.settle()
    assert [world.weight(world.state.tasks[key]) for key in world.moves] == [10]
    assert world.load(a) == pytest.approx(10, abs=0.1)


def test_of_a_job_that_shares_a_node_a_task_moves_first(world: World) -> None:
    world.join("a", 4)
    singles = [world.run(1, parallelism=1) for _ in range(2)]
    job = world.run(2, parallelism=2)
    world.settle()
    world.join("b", 4)
    world.settle()
    assert {task.target for task in world.readers() if task.key.job == job} == {"a", "b"}
    assert Counter(task.target for task in world.readers() if task.key.job in singles)["b"] == 1


def test_a_node_that_comes_gets_its_part_bit_by_bit(world: World) -> None:
    a = world.join("a", 4)
    world.run(40, parallelism=40)
    world.settle()
    b = world.join("b", 4)
    joined_ms = world.now_ms
    had = 0
    while world.now_ms < joined_ms + SETTINGS.return_ms:
        world.tick()
        has = len(world.readers(b))
        ramp = (world.now_ms - joined_ms) / SETTINGS.return_ms
        assert had <= has <= ramp * len(world.readers(a)) + 1
        had = has
    world.settle()
    assert len(world.readers(b)) >= 18


def test_where_all_have_just_come_none_is_spared(world: World) -> None:
    for name in "ab":
        world.join(name)
    world.run(10, parallelism=10)
    world.tick()
    assert readers(world) == {"a": 5, "b": 5}


def test_a_node_that_has_just_come_keeps_what_it_has(world: World) -> None:
    for name in "ab":
        world.join(name)
    world.run(10, parallelism=10)
    world.settle()
    world.die(NodeName("b"))
    world.pass_ms(SETTINGS.lease_ms)
    world.wake(NodeName("b"))
    assert not world.settle()


def lose_one_of_four(world: World) -> None:
    """Have node `d` die, and all that it had run elsewhere."""
    for name in "abcd":
        world.join(name, 4)
    for _ in range(10):
        world.run(10, parallelism=10)
    world.settle()
    world.die(NodeName("d"))
    world.settle()


def test_what_a_node_that_comes_and_goes_costs_is_what_it_was_trusted_with(world: World) -> None:
    lose_one_of_four(world)
    world.moves.clear()
    for _ in range(10):
        world.come_back(NodeName("d"))
        world.pass_ms(2_000)
        world.die(NodeName("d"))
        world.pass_ms(SETTINGS.lease_ms + SETTINGS.settle_ms + 500)
    assert world.moves.total() <= 10 * 2 * 4  # of 25 that were its part


def test_a_node_that_dies_again_is_given_nothing_more_while_its_lease_runs_out(world: World) -> None:
    lose_one_of_four(world)
    world.come_back(NodeName("d"))
    world.pass_ms(2_000)
    world.die(NodeName("d"))
    world.moves.clear()
    world.pass_ms(SETTINGS.lease_ms - 500)
    assert not world.moves


def test_few_tasks_are_on_their_way_to_a_node_at_once() -> None:
    world = World(SchedulerSettings(max_moves_per_node=3, return_ms=0))
    world.join("a", 4)
    world.join("b", 4)
    world.run(40, parallelism=40)
    world.settle()
    world.join("c", 4)
    (assign,) = world.decide().commands
    assert isinstance(assign, AssignTasks)
    assert [node for _, node in assign.moves] == ["c"] * 3
    world.carry_out(world.decide())
    assert not world.decide().commands


def test_tasks_on_their_way_are_not_moved_on(world: World) -> None:
    a = world.join("a", 4)
    world.run(40, parallelism=40)
    world.carry_out(world.decide())
    world.join("b", 4)
    world.now_ms += SETTINGS.return_ms
    for node in world.state.nodes:
        world.leases.renew(node, world.now_ms)
    world.now_ms += SETTINGS.return_ms
    for node in world.state.nodes:
        world.leases.renew(node, world.now_ms)
    assert not world.decide().commands
    assert {task.target for task in world.running()} == {a}


def test_a_task_that_was_just_moved_is_left_alone_for_a_while(world: World) -> None:
    a = world.join("a", 4)
    world.run(40, parallelism=40)
    world.settle()
    for task in world.running():
        world.state.tasks[task.key] = replace(task, moved_ms=world.at_ms)
    world.settings = SchedulerSettings(return_ms=0)
    world.join("b", 4)
    world.pass_ms(SETTINGS.dwell_ms - 500)
    assert {task.target for task in world.running()} == {a}
    world.tick()
    assert {task.target for task in world.running()} == {"a", "b"}


def test_a_clock_that_was_put_back_holds_nothing_up(world: World) -> None:
    world.join("a", 4)
    world.run(40, parallelism=40)
    world.settle()
    for task in world.running():
        world.state.tasks[task.key] = replace(task, moved_ms=world.at_ms + 1_000_000)
    world.join("b", 4)
    world.settle()
    assert readers(world) == {"a": 21, "b": 19}


def test_nothing_is_taken_from_a_node_that_its_new_leader_has_not_heard() -> None:
    world = World(SchedulerSettings(return_ms=0))
    world.join("a", 4)
    world.run(40, parallelism=40)
    world.settle()
    b = world.join("b", 4)
    world.new_leader()
    for _ in range(2):
        world.now_ms += 10
        world.leases.renew(b, world.now_ms)
    assert not world.decide().commands
    world.tick()
    world.tick()
    assert len(world.readers(b)) > 10


def test_those_with_labels_make_room_on_the_only_nodes_they_may_use(world: World) -> None:
    world.join("a", 4, disk="ssd")
    world.join("b", 4)
    world.run(10, parallelism=10)
    world.settle()
    world.run(5, parallelism=5, disk="ssd")
    world.settle()
    assert readers(world) == {"a": 8, "b": 7}
