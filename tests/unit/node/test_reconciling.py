"""What a node is to do next, told from the state and from what it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.unit.cluster.world_kit import World, checkpoint, parts
from wire.cluster import commands as c
from wire.cluster.state import DISCOVERY, JobId, NodeName, TaskKey, Tasks
from wire.node.reconciling import Steps, beginning, moves_tasks, steps
from wire.worker.protocol import Run

A, B = NodeName("a"), NodeName("b")


def key(slot: int = 0, job: str = "j") -> TaskKey:
    return TaskKey(JobId(job), slot)


def runs(*epochs: tuple[TaskKey, int]) -> Mapping[TaskKey, Run]:
    return {each: Run(each, epoch) for each, epoch in epochs}


@pytest.fixture
def world() -> World:
    """A job whose discovery runs on node `a`, as epoch 1, and has found two partitions, dealt to two tasks."""
    world = World()
    world.node("b")
    world.node("a")
    world.apply("spec", "j")
    world.spread("j", "x", "y")
    return world


def wanted(world: World, *epochs: tuple[TaskKey, int], node: NodeName = A) -> Steps:
    return steps(world.state, node, "i", runs(*epochs))


DISCOVERS = (key(DISCOVERY), 1)


def test_what_has_no_target_is_nobodys(world: World) -> None:
    assert wanted(world, DISCOVERS) == Steps()
    assert wanted(world, node=B) == Steps()


def test_a_task_that_is_meant_for_the_node_is_started_by_it_alone(world: World) -> None:
    world.assign("j", 0, "a")
    assert wanted(world, DISCOVERS) == Steps(start=(key(),))
    assert wanted(world, node=B) == Steps()


def test_what_runs_as_it_should_is_left_alone(world: World) -> None:
    epoch = world.run("j", 0, "a")
    assert wanted(world, DISCOVERS, (key(), epoch)) == Steps()


def test_what_the_state_takes_to_run_here_but_does_not_is_started_again(world: World) -> None:
    world.run("j", 0, "a")
    assert wanted(world, DISCOVERS) == Steps(start=(key(),))


def test_a_task_that_is_meant_for_another_node_is_drained_and_not_started_there_before(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.assign("j", 0, "b")
    assert wanted(world, DISCOVERS, (key(), epoch)) == Steps(drain=(Run(key(), epoch),))
    assert wanted(world, node=B) == Steps()
    world.release("j", 0, epoch)
    assert wanted(world, node=B) == Steps(start=(key(),))


def test_a_task_that_was_dealt_something_else_is_drained_to_be_started_anew(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.report("j", "xyz")
    world.deal("j", "xz", "y")
    assert wanted(world, DISCOVERS, (key(), epoch)) == Steps(drain=(Run(key(), epoch),))
    world.release("j", 0, epoch)
    assert wanted(world, DISCOVERS) == Steps(start=(key(),))


@pytest.mark.parametrize("desired", ["paused", "stopped"])
def test_all_tasks_of_a_pipeline_that_is_not_to_run_are_drained(world: World, desired: c.Desired) -> None:
    epoch = world.run("j", 0, "a")
    world.desire(desired)
    assert set(wanted(world, DISCOVERS, (key(), epoch)).drain) == {Run(*DISCOVERS), Run(key(), epoch)}


def test_what_is_owned_but_neither_runs_nor_is_to_run_is_given_back(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.desire("paused")
    assert set(wanted(world).release) == {Run(*DISCOVERS), Run(key(), epoch)}


def test_a_run_under_an_epoch_that_is_not_the_states_is_dropped(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.revoke("a", epoch)
    assert Run(key(), epoch) in wanted(world, DISCOVERS, (key(), epoch)).drop
    again = world.start("j", 0, "a")
    assert again is not None
    assert Run(key(), epoch) in wanted(world, (key(), epoch)).drop


def test_a_node_whose_name_another_one_has_taken_drops_everything_and_starts_nothing(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.node("a", "another")
    assert wanted(world, (key(), epoch)) == Steps(drop=(Run(key(), epoch),))
    assert wanted(world, node=NodeName("never heard of")) == Steps()


def test_a_run_begins_with_its_share_and_the_checkpoints_of_that_alone(world: World) -> None:
    first, other = world.run("j", 0, "a"), world.run("j", 1, "a")
    assert world.commit("j", 0, first, ("x", checkpoint(1))) is None
    assert world.commit("j", 1, other, ("y", checkpoint(1))) is None
    epoch = world.run("j", 0, "a")
    begun = beginning(world.state, "c-1", A, key(), epoch, ran_before=False)
    assert begun is not None
    assert begun.run == Run(key(), epoch)
    assert begun.spec == b"spec"
    assert begun.share == parts("x")
    assert begun.checkpoints == ((parts("x")[0], checkpoint(1)),)
    assert not begun.patient
    again = beginning(world.state, "c-1", A, key(), epoch, ran_before=True)
    assert again is not None
    assert again.patient
    world.prove("j")
    proven = beginning(world.state, "c-1", A, key(), epoch, ran_before=False)
    assert proven is not None
    assert proven.patient


def test_the_only_task_is_given_the_checkpoints_of_what_is_gone_too() -> None:
    world = World()
    world.node("a")
    world.apply("spec", "j", parallelism=1)
    world.spread("j", "xy")
    first = world.run("j", 0, "a")
    assert world.commit("j", 0, first, ("x", checkpoint(1)), ("y", checkpoint(1))) is None
    world.report("j", "y")
    world.deal("j", "y")
    epoch = world.run("j", 0, "a")
    begun = beginning(world.state, "c-1", A, key(), epoch, ran_before=True)
    assert begun is not None
    assert begun.share == parts("y")
    assert set(begun.checkpoints) == {(each, checkpoint(1)) for each in parts("xy")}
    discovering = beginning(world.state, "c-1", A, key(DISCOVERY), 1, ran_before=True)
    assert discovering is not None
    assert discovering.checkpoints == ()


def test_a_run_that_the_state_is_past_does_not_begin(world: World) -> None:
    epoch = world.run("j", 0, "a")
    assert beginning(world.state, "c-1", A, key(), epoch - 1, ran_before=False) is None
    assert beginning(world.state, "c-1", B, key(), epoch, ran_before=False) is None
    world.release("j", 0, epoch)
    assert beginning(world.state, "c-1", A, key(), epoch, ran_before=False) is None
    assert beginning(world.state, "c-1", A, key(job="none"), epoch, ran_before=False) is None


def test_commits_and_starts_that_started_nothing_are_no_reason_to_look_again() -> None:
    start = c.StartTasks(at_ms=1, node=A, incarnation="i", tasks=(key(),))
    assert not moves_tasks(c.CommitCheckpoints(at_ms=1, tasks=()), c.Committed(()))
    assert not moves_tasks(start, c.Started((None,)))
    assert moves_tasks(start, c.Started((None, 7)))
    assert moves_tasks(c.ReleaseTasks(at_ms=1, tasks=()), c.Done())
    assert not moves_tasks(c.DealShares(at_ms=1, job=JobId("j"), if_shares_revision=0, shares=()), refused())


def refused() -> c.Refused:
    return c.Refused(code="cluster.shares_changed", message="no")


class OnlyByIndex(Tasks):
    """Tasks that nobody goes through from end to end."""

    def __iter__(self) -> Iterator[TaskKey]:
        raise AssertionError("all tasks of the cluster were looked at")

    keys = values = items = copy = __iter__  # type: ignore[assignment]


def test_a_round_looks_at_what_concerns_the_node_alone(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.assign("j", 1, "a")
    rows, world.state.tasks = world.state.tasks, OnlyByIndex()
    for row in rows.values():
        world.state.tasks[row.key] = row
    assert wanted(world, DISCOVERS, (key(), epoch)) == Steps(start=(key(1),))
    assert wanted(world, node=B) == Steps()
