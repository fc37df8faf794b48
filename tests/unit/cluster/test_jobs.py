"""How jobs end: all read, failed, or ended by somebody; what comes after, and what is forgotten."""

from __future__ import annotations

import pytest

from tests.unit.cluster.world_kit import ERROR, P, World
from wire.cluster import commands as c
from wire.cluster.jobs import MAX_ENDED
from wire.cluster.state import DISCOVERY, UNPROVEN_FALLBACK, JobId


@pytest.fixture
def world() -> World:
    world = World()
    world.apply("1", "j")
    world.spread("j", "x", "y")
    return world


# all read


def test_a_job_is_done_when_all_of_its_tasks_have_ended(world: World) -> None:
    epochs = [world.run("j", slot, "a") for slot in (0, 1)]
    world.end("j", 0, epochs[0])
    task = world.task("j", 0)
    assert (task.ended, task.owner, task.held, task.target) == (True, None, (), None)
    assert world.job("j").state == "active"
    world.end("j", 1, epochs[1])
    assert world.job("j").state == "done"
    assert world.job("j").ended_ms == world.state.now_ms
    assert world.pipeline().job == "j"
    assert world.pipeline().desired == "running"


def test_discovery_goes_when_it_is_released_behind_the_end(world: World) -> None:
    for slot in (0, 1):
        world.end("j", slot, world.run("j", slot, "a"))
    discovery = world.task("j", DISCOVERY)
    assert discovery.target is None
    world.release("j", DISCOVERY, discovery.epoch)
    assert not world.state.tasks_of(JobId("j"))
    assert world.job("j").state == "done"


def test_an_epoch_that_is_over_ends_nothing(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.start("j", 0, "a")
    world.end("j", 0, epoch)
    assert not world.task("j", 0).ended


def test_a_job_is_not_done_while_something_reported_is_not_dealt(world: World) -> None:
    epochs = [world.run("j", slot, "a") for slot in (0, 1)]
    world.report("j", "xyz")
    for slot, epoch in enumerate(epochs):
        world.end("j", slot, epoch)
    assert world.job("j").state == "active"
    world.deal("j", "xz", "y")
    assert not world.task("j", 0).ended, "there is more to read for it"
    assert world.task("j", 1).ended
    world.end("j", 0, world.run("j", 0, "a"))
    assert world.job("j").state == "done"


def test_a_job_is_done_when_what_is_unread_is_not_there_any_more(world: World) -> None:
    world.end("j", 0, world.run("j", 0, "a"))
    epoch = world.run("j", 1, "a")
    world.report("j", "x")
    assert world.job("j").state == "active"
    world.deal("j", "x")
    assert world.job("j").state == "active", "it is still being read"
    world.release("j", 1, epoch)
    assert world.job("j").state == "done"


def test_a_new_division_or_report_can_be_the_end_of_a_job(world: World) -> None:
    world.end("j", 0, world.run("j", 0, "a"))
    world.report("j", "x")
    world.deal("j", "x")
    assert world.job("j").state == "done"
    world.apply("2", "k")
    world.spread("k", "x")
    world.report("k", "xy")
    world.end("k", 0, world.run("k", 0, "a"))
    world.report("k", "x")
    assert world.job("k").state == "done"


def test_a_task_that_was_dealt_more_than_it_holds_has_not_read_all_when_it_ends(world: World) -> None:
    first = world.run("j", 0, "a")
    world.end("j", 1, world.run("j", 1, "a"))
    world.report("j", "xyz")
    world.deal("j", "xz", "y")
    world.end("j", 0, first)
    task = world.task("j", 0)
    assert (task.ended, task.owner, task.target) == (False, None, "a"), "z is still to be read"
    assert world.job("j").state == "active"
    world.end("j", 0, world.run("j", 0, "a"))
    assert world.job("j").state == "done"


def test_a_job_with_nothing_to_read_is_done_when_its_discovery_has_ended() -> None:
    world = World()
    world.node("a")
    world.apply("1", "j")
    epoch = world.run("j", DISCOVERY, "a")
    world.report("j", "")
    assert world.job("j").state == "active"
    world.end("j", DISCOVERY, epoch)
    assert world.job("j").state == "done"


def test_a_discovery_that_ends_without_a_report_says_nothing() -> None:
    world = World()
    world.node("a")
    world.apply("1", "j")
    world.end("j", DISCOVERY, world.run("j", DISCOVERY, "a"))
    assert world.job("j").state == "active"
    assert world.task("j", DISCOVERY).ended


# failed


def test_a_failed_job_stays_the_pipelines_until_it_is_restarted(world: World) -> None:
    epochs = [world.run("j", slot, "a") for slot in (0, 1)]
    world.fail("j", 0, epochs[0])
    job = world.job("j")
    assert (job.state, job.error, job.ended_ms) == ("failed", ERROR, world.state.now_ms)
    assert world.pipeline().job == "j"
    assert not world.has_task("j", 0), "who says that it failed does not run it any more"
    assert world.task("j", 1).target is None
    world.fail("j", 1, epochs[1])
    assert not world.has_task("j", 1)
    assert world.pipeline().job == "j"
    assert world.desire("running", "k").job == "k"
    assert world.job("j").state == "failed"


def test_an_epoch_that_is_over_fails_nothing(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.start("j", 0, "a")
    world.fail("j", 0, epoch)
    world.fail("other", 0, epoch)
    assert world.job("j").state == "active"


def test_what_is_left_over_can_fail_behind_the_end(world: World) -> None:
    world.end("j", 0, world.run("j", 0, "a"))
    epoch = world.run("j", 1, "a")
    world.report("j", "x")
    world.deal("j", "x")
    world.fail("j", 1, epoch)
    assert world.job("j").state == "done"


def test_a_newer_version_that_fails_falls_back_to_the_proven_one(world: World) -> None:
    world.prove("j")
    world.apply("2", "k", parallelism=7)
    world.spread("k", "x")
    revision = world.pipeline().revision
    world.fail("k", 0, world.run("k", 0, "a"), fallback="back")
    pipeline = world.pipeline()
    assert (pipeline.current, pipeline.job, pipeline.proven) == (1, "back", 1)
    assert pipeline.revision == world.index > revision
    assert pipeline.updated_ms == world.state.now_ms
    back = world.job("back")
    assert (back.version, back.state, back.fell_back_from, back.parallelism) == (1, "active", 2, None)
    assert world.job("k").state == "failed"
    change = world.state.changes[-1]
    assert change.action == "fail_task"
    assert change.detail == "version 2 failed: sink.file.exists; back to version 1"
    world.fail("back", DISCOVERY, world.run("back", DISCOVERY, "a"), fallback="never")
    assert world.pipeline().job == "back", "there is nothing behind the proven one"
    assert world.apply("2", "l").version == 3


def test_a_version_that_was_proven_by_this_job_does_not_fall_back(world: World) -> None:
    world.prove("j")
    world.apply("2", "k")
    world.prove("k")
    assert world.pipeline().proven == 2
    world.fail("k", DISCOVERY, world.run("k", DISCOVERY, "a"))
    assert world.pipeline().job == "k"
    assert world.pipeline().current == 2


def test_before_any_version_is_proven_the_one_before_takes_over_again(world: World) -> None:
    world.state.command_version = UNPROVEN_FALLBACK
    world.apply("2", "k")
    world.apply("3", "l")
    world.fail("l", DISCOVERY, world.run("l", DISCOVERY, "a"), fallback="second")
    assert (world.pipeline().current, world.pipeline().job) == (2, "second")
    assert world.job("second").fell_back_from == 3
    world.fail("second", DISCOVERY, world.run("second", DISCOVERY, "a"), fallback="first")
    assert (world.pipeline().current, world.pipeline().job) == (1, "first")
    world.fail("first", DISCOVERY, world.run("first", DISCOVERY, "a"), fallback="never")
    assert world.pipeline().job == "first"
    assert world.job("first").state == "failed"


def test_a_version_that_had_failed_is_not_gone_back_to(world: World) -> None:
    world.state.command_version = UNPROVEN_FALLBACK
    world.fail("j", DISCOVERY, world.run("j", DISCOVERY, "a"))
    world.apply("2", "k")
    world.fail("k", DISCOVERY, world.run("k", DISCOVERY, "a"))
    assert world.pipeline().job == "k"
    assert world.pipeline().current == 2


def test_until_all_nodes_know_of_it_only_a_proven_version_is_gone_back_to(world: World) -> None:
    world.apply("2", "k")
    world.fail("k", DISCOVERY, world.run("k", DISCOVERY, "a"))
    assert world.pipeline().job == "k"


def test_a_version_that_ran_in_another_generation_is_not_gone_back_to(world: World) -> None:
    world.state.command_version = UNPROVEN_FALLBACK
    world.desire("stopped")
    world.reset()
    world.desire("running", job="k")
    world.desire("stopped")
    world.apply("2", "unused")
    world.reset()
    world.desire("running", job="l")
    world.fail("l", DISCOVERY, world.run("l", DISCOVERY, "a"))
    assert world.pipeline().job == "l"


def test_nothing_is_fallen_back_to_once_the_positions_are_given_up(world: World) -> None:
    world.prove("j")
    world.apply("2", "k", keeps_positions=False)
    assert world.pipeline().proven is None
    world.fail("k", DISCOVERY, world.run("k", DISCOVERY, "a"))
    assert world.pipeline().job == "k"
    assert world.job("k").state == "failed"


def test_a_fallback_under_an_id_that_is_taken_does_not_begin(world: World) -> None:
    world.prove("j")
    world.apply("2", "k")
    world.fail("k", DISCOVERY, world.run("k", DISCOVERY, "a"), fallback="j")
    assert world.pipeline().job == "k"
    assert world.pipeline().current == 2


def test_a_fallback_of_a_paused_pipeline_is_paused(world: World) -> None:
    world.prove("j")
    world.apply("2", "k")
    epoch = world.run("k", DISCOVERY, "a")
    world.desire("paused")
    world.fail("k", DISCOVERY, epoch)
    assert world.pipeline().desired == "paused"
    world.assign("fallback", DISCOVERY, "a")
    assert world.task("fallback", DISCOVERY).target is None
    assert world.desire("running").job == "fallback"


@pytest.mark.parametrize("job", ["other", "j"])
def test_only_an_active_job_proves_its_version(world: World, job: str) -> None:
    world.desire("stopped")
    world.prove(job)
    assert world.pipeline().proven is None


# ended, and forgotten


def test_of_a_job_that_ends_only_what_is_owned_stays_until_it_is_released(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.assign("j", 1, "a")
    world.desire("stopped")
    assert world.job("j").state == "ended"
    assert world.pipeline().job is None
    assert not world.has_task("j", 1)
    assert world.task("j", 0).target is None
    assert world.start("j", 0, "a") is None
    world.end("j", 0, epoch)
    assert not world.has_task("j", 0)
    assert world.job("j").state == "ended"


def test_of_a_job_that_ends_what_is_revoked_goes(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.desire("stopped")
    world.revoke("a", epoch)
    assert not world.state.tasks_of(JobId("j"))


def test_the_oldest_jobs_are_forgotten_but_not_those_that_still_run(world: World) -> None:
    epoch = world.run("j", 0, "a")
    for n in range(MAX_ENDED + 5):
        world.the(c.Applied, c.RestartPipeline(at_ms=world.at_ms, key=P, job=JobId(f"k{n}")))
    ids = [job.id for job in world.state.jobs.of(P)]
    assert ids == ["j", *(f"k{n}" for n in range(4, MAX_ENDED + 5))]
    world.release("j", 0, epoch)
    world.release("j", DISCOVERY, world.task("j", DISCOVERY).epoch)
    assert [job.id for job in world.state.jobs.of(P)] == ids[1:]


def test_the_jobs_of_a_deleted_pipeline_go_with_their_last_task(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.delete()
    assert world.job("j").state == "ended"
    world.release("j", 0, epoch)
    world.release("j", DISCOVERY, world.task("j", DISCOVERY).epoch)
    assert not world.state.jobs
    assert not world.state.tasks
