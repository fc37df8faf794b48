"""What is gone is remembered, for it may come back, and not for ever (I8)."""

from __future__ import annotations

import pytest

from tests.unit.cluster.model_rows import picture
from tests.unit.cluster.world_kit import P, World, checkpoint, part, parts
from wire.cluster import checkpoints, snapshot, tasks
from wire.cluster import commands as c
from wire.cluster.commands import Done, Refused
from wire.cluster.encoding import NEWEST
from wire.cluster.state import DISCOVERY, JobId, PipelineKey, StoredCheckpoint


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("MAX_PARTITIONS", 3), ("MAX_GONE", 3), ("MAX_KEPT", 2)):
        monkeypatch.setattr(checkpoints, name, most)


@pytest.fixture
def world() -> World:
    return at_version(NEWEST)


def at_version(version: int) -> World:
    world = World()
    world.apply("1", "j")
    world.node("a")
    world.run("j", DISCOVERY, "a")
    world.node("a", newest=version)
    world.the(Done, c.EnableCommands(at_ms=world.at_ms, version=version))
    return world


def read(world: World, names: str, job: str = "j") -> None:
    """Let a job find these partitions, have them all dealt to one task, and commit of each."""
    world.report(job, names)
    world.deal(job, names)
    generation = world.pipeline().generation
    seqs = [each.checkpoint.seq + 1 if (each := world.stored(name)) else 1 for name in names]
    new = [(name, checkpoint(seq, generation)) for name, seq in zip(names, seqs, strict=True)]
    assert world.commit(job, 0, world.run(job, 0, "a"), *new) is None
    world.release(job, 0, world.task(job, 0).epoch)


def remembered(world: World, key: PipelineKey = P) -> str:
    """The names of the partitions there are checkpoints of, those first that would be forgotten first."""
    return "".join(each.partition for each in world.state.checkpoints.get(key, {}))


def look_elsewhere(world: World) -> None:
    """Nothing that was found is to be read any more, nor found."""
    world.report("j", "")
    world.deal("j")


# partitions


def test_of_partitions_that_are_gone_those_gone_longest_are_forgotten_first(world: World) -> None:
    for names in ("ba", "c", "d"):
        read(world, names)
    assert remembered(world) == "bacd"
    read(world, "e")
    assert remembered(world) == "bacde", "three are gone, and one was read until now"
    read(world, "f")
    assert remembered(world) == "acdef"


def test_what_comes_back_in_between_is_not_among_the_oldest_any_more(world: World) -> None:
    for names in ("ab", "c", "a", "d", "e", "f"):
        read(world, names)
    assert "a" in remembered(world)
    assert "b" not in remembered(world)


def test_a_look_that_finds_nothing_makes_none_forgotten_that_were_there(world: World) -> None:
    for names in ("ABC", "DEF", "xyz"):
        read(world, names)
    look_elsewhere(world)
    look_elsewhere(world)
    assert remembered(world) == "xyz"
    read(world, "xyz")
    assert [stored.checkpoint.seq for name in "xyz" if (stored := world.stored(name))] == [2, 2, 2]


def test_a_new_job_that_finds_nothing_makes_none_forgotten_that_were_there(world: World) -> None:
    for names in ("ABC", "xyz"):
        read(world, names)
    world.apply("2", "k")
    world.run("k", DISCOVERY, "a")
    world.report("k", "")
    assert remembered(world) == "xyz"


def test_what_a_task_is_to_read_or_reads_still_is_not_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MAX_GONE", 0)
    read(world, "xyz")
    world.report("j", "")
    assert remembered(world) == "xyz", "its task may be started before the next dealing"
    epoch = world.start("j", 0, "a")
    assert epoch is not None
    look_elsewhere(world)
    assert world.task("j", 0).share == ()
    assert remembered(world) == "xyz"
    world.apply("2", "k")  # what the job before reads goes on until it is released
    world.run("k", DISCOVERY, "a")
    world.report("k", "")
    assert world.commit("j", 0, epoch, ("x", checkpoint(2))) is None
    world.release("j", 0, epoch)
    world.report("k", "")
    assert remembered(world) == ""


def test_a_partition_that_was_forgotten_begins_anew_when_it_comes_back(world: World) -> None:
    for names in ("a", "b", "c", "d", "e", "f"):
        read(world, names)
    assert world.stored("a") is None
    read(world, "a")
    stored = world.stored("a")
    assert stored is not None
    assert stored.checkpoint == checkpoint(1)


@pytest.mark.parametrize("version", [1, 2])
def test_before_every_node_knows_it_nothing_is_forgotten_nor_moved(version: int) -> None:
    world = at_version(2)
    world.state.command_version = version
    for names in ("ba", "c", "b", "d", "e", "f", "g", "h"):
        read(world, names)
    assert remembered(world) == "bacdefgh"
    world.report("j", "abcd")
    assert world.job("j").partitions == parts("abcd"), "more than are allowed later"
    world.delete(keep=True)
    assert not world.state.kept


def test_what_a_snapshot_is_written_of_does_not_change_with_a_report(world: World) -> None:
    for names in ("ba", "c", "d", "e"):
        read(world, names)
    taken, as_of = snapshot.chunks(world.state), picture(world.state)
    look_elsewhere(world)
    assert remembered(world) != "abcde"
    assert picture(snapshot.read(taken)) == as_of


def test_the_order_in_which_they_are_forgotten_survives_a_snapshot(world: World) -> None:
    for names in ("ba", "c", "a"):
        read(world, names)
    world.state = snapshot.read(list(snapshot.chunks(world.state)))
    assert remembered(world) == "bca"


# too many at once


@pytest.mark.parametrize("names", ["abcd", "aaaa"])
def test_more_partitions_than_allowed_are_refused_and_nothing_changes(world: World, names: str) -> None:
    world.report("j", "abc")
    epoch = world.task("j", DISCOVERY).epoch
    command = c.ReportPartitions(at_ms=1, job=JobId("j"), epoch=epoch, partitions=parts(names))
    refused = world.the(Refused, command)
    assert refused.code == "cluster.too_many_partitions"
    assert "4 partitions, and 3 are allowed" in refused.message
    assert refused.hint is not None
    assert world.job("j").partitions == parts("abc")


def test_longer_names_than_fit_into_a_command_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "ß" * 47  # 94 bytes, and 6 of "source"
    monkeypatch.setattr(tasks, "MAX_NAMES_BYTES", 100)
    assert tasks.too_many((part(name),)) is None
    refused = tasks.too_many((part(name + "x"),))
    assert refused is not None
    assert "101 bytes, and 100 are allowed" in refused.message


def test_whom_nobody_asks_any_more_is_not_refused(world: World) -> None:
    command = c.ReportPartitions(at_ms=1, job=JobId("j"), epoch=0, partitions=parts("abcd"))
    assert world.do(command) == Done()


# pipelines


def made_and_deleted(world: World, name: str) -> PipelineKey:
    """Leave checkpoints of a pipeline that is gone."""
    key = PipelineKey("default", name)
    world.apply("1", name, key)
    world.run(name, DISCOVERY, "a")
    world.report(name, "x")
    world.deal(name, "x")
    assert world.commit(name, 0, world.run(name, 0, "a"), ("x", checkpoint(1))) is None
    world.release(name, 0, world.task(name, 0).epoch)
    world.the(Done, c.DeletePipeline(at_ms=world.at_ms, actor="ada", key=key, keep_checkpoints=True))
    return key


def test_checkpoints_are_kept_of_the_pipelines_that_were_deleted_last(world: World) -> None:
    first, second, third = (made_and_deleted(world, name) for name in ("a", "b", "c"))
    assert list(world.state.kept) == [second, third]
    assert first not in world.state.checkpoints
    assert remembered(world, second) == remembered(world, third) == "x"
    assert world.state.kept[third].deleted_by == "ada"
    assert world.state.changes[-1].detail == "its checkpoints are kept; those of default/a no longer"


def test_a_namesake_takes_over_what_was_kept(world: World) -> None:
    key = made_and_deleted(world, "a")
    world.apply("1", "again", key)
    assert not world.state.kept
    assert remembered(world, key) == "x"
    for name in ("b", "c", "d"):
        made_and_deleted(world, name)
    assert remembered(world, key) == "x", "it is a pipeline's"


def test_a_pipeline_that_came_nowhere_leaves_nothing(world: World) -> None:
    world.delete(keep=True)
    assert not world.state.kept


def test_what_was_kept_can_be_forgotten(world: World) -> None:
    key = made_and_deleted(world, "a")
    world.the(Done, c.ForgetCheckpoints(at_ms=1, actor="bob", key=key))
    assert key not in world.state.checkpoints
    assert not world.state.kept
    change = world.state.changes[-1]
    assert (change.actor, change.action, change.subject) == ("bob", "forget_checkpoints", "default/a")
    assert world.refusal(c.ForgetCheckpoints(at_ms=1, key=key)) == "cluster.unknown_pipeline"


def test_what_an_older_release_kept_can_be_forgotten(world: World) -> None:
    key = made_and_deleted(world, "a")
    del world.state.kept[key]
    world.the(Done, c.ForgetCheckpoints(at_ms=1, key=key))
    assert key not in world.state.checkpoints


def test_the_checkpoints_of_a_pipeline_that_is_there_are_not_forgotten_so(world: World) -> None:
    read(world, "x")
    assert world.refusal(c.ForgetCheckpoints(at_ms=1, key=P)) == "cluster.pipeline_exists"
    assert remembered(world) == "x"


def test_what_is_put_back_from_a_backup_is_not_given_up_before_its_pipelines_are_made(world: World) -> None:
    waiting = PipelineKey("default", "waiting")
    row = (part("x"), StoredCheckpoint(1, checkpoint(1)))
    world.the(Done, c.RestoreCheckpoints(at_ms=1, key=waiting, rows=(row,), anew=True))
    for name in ("a", "b", "c"):
        made_and_deleted(world, name)
    assert remembered(world, waiting) == "x"


def test_who_kept_what_is_in_a_snapshot(world: World) -> None:
    for name in ("b", "a"):
        made_and_deleted(world, name)
    again = snapshot.read(snapshot.chunks(world.state))
    assert list(again.kept.items()) == list(world.state.kept.items())
    assert picture(again) == picture(world.state)
