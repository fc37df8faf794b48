from __future__ import annotations

from tests.unit.cluster.world_kit import World
from wire.cluster.state import UNPROVEN_FALLBACK, JobId, TaskKey
from wire.node.losses import MOST_LOSSES, Losses


def world_of_two_versions() -> World:
    world = World()
    world.state.command_version = UNPROVEN_FALLBACK
    world.apply("1", "j")
    world.apply("2", "k")
    return world


def key(job: str, slot: int = 0) -> TaskKey:
    return TaskKey(JobId(job), slot)


def test_a_young_version_is_given_up_when_one_of_its_tasks_was_lost_too_often() -> None:
    world, losses = world_of_two_versions(), Losses()
    verdicts = [losses.add(world.state, key("k", slot)) for _ in range(MOST_LOSSES) for slot in (0, 1)]
    assert verdicts == [False] * (2 * MOST_LOSSES - 2) + [True, True]


def test_losses_of_a_version_that_has_nothing_older_behind_it_do_not_count() -> None:
    world, losses = World(), Losses()
    world.state.command_version = UNPROVEN_FALLBACK
    world.apply("1", "j")
    assert not any(losses.add(world.state, key("j")) for _ in range(10))


def test_losses_before_a_version_was_proven_are_forgotten() -> None:
    world, losses = world_of_two_versions(), Losses()
    losses.add(world.state, key("k"))
    world.prove("k")
    assert not any(losses.add(world.state, key("k")) for _ in range(10))
    world.apply("3", "l")
    assert [losses.add(world.state, key("l")) for _ in range(MOST_LOSSES)] == [False] * (MOST_LOSSES - 1) + [True]
