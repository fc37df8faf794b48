"""Checkpoints only move forward, and only under the epoch that runs (I3, I4)."""

from __future__ import annotations

import pytest

from tests.unit.cluster.world_kit import World, checkpoint, part
from wire.cluster import commands as c
from wire.cluster.commands import Committed, TaskCheckpoints
from wire.cluster.state import DISCOVERY, JobId, TaskKey


@pytest.fixture
def world() -> World:
    world = World()
    world.apply("1", "j")
    world.spread("j", "xy", "z")
    return world


def test_a_checkpoint_is_stored_with_its_epoch(world: World) -> None:
    epoch = world.run("j", 0, "a")
    assert world.commit("j", 0, epoch, ("x", checkpoint(1)), ("y", checkpoint(5))) is None
    stored = world.stored("x")
    assert stored is not None
    assert (stored.epoch, stored.checkpoint) == (epoch, checkpoint(1))
    new = world.start("j", 0, "a")
    assert new is not None
    world.commit("j", 0, new, ("x", checkpoint(2)))
    stored = world.stored("x")
    assert stored is not None
    assert (stored.epoch, stored.checkpoint) == (new, checkpoint(2))


@pytest.mark.parametrize("seq", [3, 2])
def test_nothing_moves_back(world: World, seq: int) -> None:
    epoch = world.run("j", 0, "a")
    world.commit("j", 0, epoch, ("x", checkpoint(3)))
    assert world.commit("j", 0, epoch, ("y", checkpoint(1)), ("x", checkpoint(seq))) == "moved_back"
    assert world.stored("y") is None, "all or nothing"
    assert world.commit("j", 0, epoch, ("y", checkpoint(2)), ("y", checkpoint(2))) == "moved_back"
    assert world.commit("j", 0, epoch, ("x", checkpoint(4)), ("x", checkpoint(5))) is None


def test_an_older_epoch_commits_nothing(world: World) -> None:
    old = world.run("j", 0, "a")
    new = world.start("j", 0, "a")
    assert new is not None
    assert world.commit("j", 0, old, ("x", checkpoint(1))) == "fenced"
    assert world.commit("j", 0, new, ("x", checkpoint(1))) is None


def test_what_was_released_or_revoked_commits_nothing(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.release("j", 0, epoch)
    assert world.commit("j", 0, epoch, ("x", checkpoint(1))) == "fenced"
    epoch = world.run("j", 0, "a")
    world.revoke("a", epoch)
    assert world.commit("j", 0, epoch, ("x", checkpoint(1))) == "fenced"


def test_a_task_commits_only_what_it_holds(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.run("j", 1, "a")
    for name in ("z", "unknown"):
        assert world.commit("j", 0, epoch, ("x", checkpoint(1)), (name, checkpoint(1))) == "fenced"
    assert world.commit("j", DISCOVERY, world.task("j", DISCOVERY).epoch, ("x", checkpoint(1))) == "fenced"
    assert world.stored("x") is None


@pytest.mark.parametrize("generation", [-1, 1])
def test_another_generation_commits_nothing(world: World, generation: int) -> None:
    epoch = world.run("j", 0, "a")
    assert world.commit("j", 0, epoch, ("x", checkpoint(1, generation))) == "fenced"


def test_what_drains_commits_up_to_its_release_and_the_next_job_goes_on_from_there(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.apply("2", "k")
    assert world.commit("j", 0, epoch, ("x", checkpoint(1))) is None
    world.spread("k", "xyz")
    world.release("j", 0, epoch)
    new = world.run("k", 0, "a")
    assert world.commit("k", 0, new, ("x", checkpoint(1))) == "moved_back"
    assert world.commit("k", 0, new, ("x", checkpoint(2))) is None


def test_each_task_of_a_command_is_for_itself(world: World) -> None:
    first, second = world.run("j", 0, "a"), world.run("j", 1, "a")
    key = TaskKey(JobId("j"), 0)
    tasks = (
        TaskCheckpoints(key, first - 1, ((part("x"), checkpoint(1)),)),
        TaskCheckpoints(TaskKey(JobId("j"), 1), second, ((part("z"), checkpoint(1)),)),
        TaskCheckpoints(TaskKey(JobId("other"), 1), second, ()),
        TaskCheckpoints(key, first, ()),
    )
    committed = world.the(Committed, c.CommitCheckpoints(at_ms=1, tasks=tasks))
    assert committed.refusals == ("fenced", None, "fenced", None)
    assert world.stored("z") is not None
    assert world.stored("x") is None
