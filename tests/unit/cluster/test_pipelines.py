"""What people ask of pipelines."""

from __future__ import annotations

import pytest

from tests.unit.cluster.world_kit import P, World, checkpoint
from wire.cluster import commands as c
from wire.cluster.commands import AnyCommand, Applied, Done
from wire.cluster.pipelines import MAX_VERSIONS
from wire.cluster.state import DISCOVERY, Desired, JobId, PipelineKey


@pytest.fixture
def world() -> World:
    world = World()
    world.apply("1", "j")
    return world


def rolling_back(world: World, to: int, job: str = "k", **more: object) -> c.RollBack:
    return c.RollBack(at_ms=world.at_ms, actor="ada", key=P, to=to, job=JobId(job), **more)  # type: ignore[arg-type]


def resetting(world: World) -> c.ResetPositions:
    return c.ResetPositions(at_ms=world.at_ms, actor="ada", key=P)


def restarting(world: World, job: str) -> c.RestartPipeline:
    return c.RestartPipeline(at_ms=world.at_ms, actor="ada", key=P, job=JobId(job))


def test_a_pipeline_is_created_and_runs() -> None:
    world = World()
    applied = world.apply("1", "j", parallelism=3, weight=2, node_selector={"zone": "x"}, note="first")
    assert applied == Applied(revision=1, version=1, desired="running", job=JobId("j"), created=True)
    job, version = world.job("j"), world.pipeline().current_version
    assert (job.state, job.version, job.parallelism, job.weight, job.node_selector) == (
        "active", 1, 3, 2, {"zone": "x"}
    )  # fmt: skip
    assert (version.spec, version.author, version.note, version.created_ms) == (b"1", "ada", "first", 1000)


def test_namesakes_of_two_namespaces_have_nothing_in_common(world: World) -> None:
    other = PipelineKey("other", "p")
    assert world.apply("2", "k", other).created
    assert world.pipeline().current_version.spec == b"1"


def test_a_new_version_ends_the_job_and_begins_another(world: World) -> None:
    applied = world.apply("2", "k")
    assert (applied.version, applied.job, applied.created, applied.changed) == (2, "k", False, True)
    assert applied.revision == world.index
    assert world.job("j").state == "ended"
    assert world.job("k").version == 2
    assert [version.spec for version in world.pipeline().versions] == [b"1", b"2"]


def test_the_same_spec_changes_nothing(world: World) -> None:
    before, trail = world.pipeline(), list(world.state.changes)
    applied = world.apply("1", "k", keeps_positions=False)
    assert not applied.changed
    assert applied.job == "j"
    assert world.pipeline() == before
    assert world.state.changes == trail


@pytest.mark.parametrize("desired", ["paused", "stopped"])
def test_a_pipeline_that_is_not_to_run_gets_a_version_and_no_job(world: World, desired: Desired) -> None:
    world.desire(desired)
    applied = world.apply("2", "j")
    assert (applied.version, applied.desired, applied.job) == (2, desired, None)
    assert world.job("j").state == "ended"
    assert world.desire("running", "k").job == "k"
    assert world.job("k").version == 2


@pytest.mark.parametrize(("revision", "code"), [(0, "pipeline_exists"), (7, "revision_changed")])
def test_a_revision_guards(world: World, revision: int, code: str) -> None:
    for command in (
        world.applying("2", "k", if_revision=revision),
        rolling_back(world, 1, if_revision=revision),
        c.DeletePipeline(at_ms=1, key=P, if_revision=revision),
    ):
        assert world.refusal(command) == f"cluster.{code}"
    assert world.pipeline().current == 1


def test_with_the_right_revision_it_is_changed(world: World) -> None:
    revision = world.pipeline().revision
    assert world.apply("2", "k", if_revision=revision).version == 2
    world.the(Done, c.DeletePipeline(at_ms=1, key=P, if_revision=world.pipeline().revision))
    assert world.refusal(world.applying("3", "l", if_revision=5)) == "cluster.revision_changed"
    assert world.apply("3", "l", if_revision=0).created


def test_no_revision_comes_twice_for_a_name(world: World) -> None:
    first = world.pipeline().revision
    world.delete()
    assert world.apply("1", "k").revision > first


def test_old_versions_are_dropped_but_for_the_proven_one(world: World) -> None:
    world.prove("j")
    for n in range(2, MAX_VERSIONS + 10):
        world.apply(str(n), f"k{n}")
    numbers = [version.number for version in world.pipeline().versions]
    assert numbers == [1, *range(11, MAX_VERSIONS + 10)]
    assert len(numbers) == MAX_VERSIONS
    assert world.refusal(rolling_back(world, 2, "l")) == "cluster.unknown_version"


def test_rolling_back_makes_the_old_one_a_new_one(world: World) -> None:
    world.apply("2", "k", parallelism=2)
    applied = world.the(Applied, rolling_back(world, 1, "l"))
    assert (applied.version, applied.job) == (3, "l")
    version = world.pipeline().current_version
    assert (version.spec, version.note, version.parallelism, version.number) == (b"1", "as version 1", None, 3)
    assert not world.the(Applied, rolling_back(world, 3, "m")).changed
    assert not world.the(Applied, rolling_back(world, 1, "m")).changed


def test_no_job_begins_under_an_id_that_is_taken(world: World) -> None:
    world.apply("2", "k")
    for command in (
        world.applying("3", "j"),
        world.applying("3", "j", PipelineKey("default", "q")),
        rolling_back(world, 1, "j"),
        restarting(world, "j"),
    ):
        assert world.refusal(command) == "cluster.duplicate_job"
    world.desire("stopped")
    assert world.refusal(world.desiring("running", "j")) == "cluster.duplicate_job"
    assert world.pipeline().desired == "stopped"


@pytest.mark.parametrize(
    "command",
    [
        c.RollBack(at_ms=1, key=P, to=1, job=JobId("j")),
        c.SetDesired(at_ms=1, key=P, desired="paused", job=JobId("j")),
        c.RestartPipeline(at_ms=1, key=P, job=JobId("j")),
        c.DeletePipeline(at_ms=1, key=P),
        c.ResetPositions(at_ms=1, key=P),
    ],
    ids=lambda command: command.__struct_config__.tag,
)
def test_what_is_not_there_can_t_be_changed(command: AnyCommand) -> None:
    world = World()
    assert world.refusal(command) == "cluster.unknown_pipeline"


def test_what_is_desired_is_idempotent(world: World) -> None:
    for desired, job in (("paused", "j"), ("stopped", None), ("running", "k")):
        applied = world.desire(desired, "k")  # type: ignore[arg-type]
        assert (applied.desired, applied.job, applied.changed) == (desired, job, True)
        again = world.desire(desired, "l")  # type: ignore[arg-type]
        assert again == Applied(
            revision=applied.revision, version=1, desired=applied.desired, job=applied.job, changed=False
        )


def test_an_id_that_is_not_needed_may_be_taken(world: World) -> None:
    for desired in ("paused", "running", "stopped"):
        assert world.desire(desired, "j").changed


def test_what_is_stopped_can_be_paused(world: World) -> None:
    world.desire("stopped")
    assert world.desire("paused").job is None
    assert world.desire("running", "k").job == "k"


@pytest.mark.parametrize("desired", ["running", "paused", "stopped"])
def test_a_restart_begins_another_job_whatever_was_desired(world: World, desired: Desired) -> None:
    world.desire(desired)
    applied = world.the(Applied, restarting(world, "k"))
    assert (applied.desired, applied.job) == ("running", "k")
    assert world.job("j").state == "ended"


# positions


def with_checkpoint(world: World) -> int:
    world.spread("j", "x")
    epoch = world.run("j", 0, "a")
    assert world.commit("j", 0, epoch, ("x", checkpoint(1))) is None
    return epoch


def test_the_next_version_goes_on_from_the_checkpoints(world: World) -> None:
    with_checkpoint(world)
    world.apply("2", "k")
    assert world.pipeline().generation == 0
    assert world.stored("x") is not None


@pytest.mark.parametrize("rolls_back", [True, False])
def test_a_version_with_another_source_begins_anew_in_the_next_generation(world: World, rolls_back: bool) -> None:
    world.apply("2", "k")
    world.spread("k", "x")
    assert world.commit("k", 0, world.run("k", 0, "a"), ("x", checkpoint(1))) is None
    if rolls_back:
        world.the(Applied, rolling_back(world, 1, "l", keeps_positions=False))
    else:
        world.apply("3", "l", keeps_positions=False)
    assert world.pipeline().generation == 1
    assert world.job("l").generation == 1
    assert world.stored("x") is None


def test_positions_are_reset_only_while_stopped(world: World) -> None:
    epoch = with_checkpoint(world)
    for desired in ("running", "paused"):
        world.desire(desired)
        assert world.refusal(resetting(world)) == "cluster.pipeline_not_stopped"
    world.desire("stopped")
    applied = world.the(Applied, resetting(world))
    assert applied.revision == world.index
    assert world.pipeline().generation == 1
    assert world.stored("x") is None
    assert world.commit("j", 0, epoch, ("x", checkpoint(2))) == "fenced", "what still drains is of before"
    assert world.commit("j", 0, epoch, ("x", checkpoint(2, 1))) is None


def test_a_namesake_goes_on_from_checkpoints_that_were_kept(world: World) -> None:
    world.desire("stopped")
    world.do(resetting(world))
    world.desire("running", "j1")
    world.spread("j1", "x")
    epoch = world.run("j1", 0, "a")
    world.commit("j1", 0, epoch, ("x", checkpoint(1, 1)))
    world.delete(keep=True)
    assert world.commit("j1", 0, epoch, ("x", checkpoint(2, 1))) == "fenced"
    world.apply("1", "k")
    assert world.pipeline().generation == 1
    assert world.stored("x") is not None


def test_a_namesake_with_another_source_does_not(world: World) -> None:
    with_checkpoint(world)
    world.delete(keep=True)
    world.apply("2", "k", keeps_positions=False)
    assert world.pipeline().generation == 1
    assert world.stored("x") is None


def test_a_namesake_is_safe_from_what_still_runs_of_the_one_before(world: World) -> None:
    epoch = with_checkpoint(world)
    world.delete()
    assert world.stored("x") is None
    world.apply("1", "k")
    assert world.pipeline().generation == 1
    assert world.commit("j", 0, epoch, ("x", checkpoint(2))) == "fenced"
    world.spread("k", "x")
    world.assign("k", 0, "a")
    assert world.start("k", 0, "a") is None, "it still reads x"
    world.release("j", 0, epoch)
    assert world.start("k", 0, "a") is not None


def test_a_namesake_begins_as_new_where_nothing_is_left(world: World) -> None:
    world.delete()
    world.apply("1", "j")
    assert world.pipeline().generation == 0
    assert world.has_task("j", DISCOVERY)
