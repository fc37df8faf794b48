"""A pipeline that writes files which only one node has is bound to that node: from its first start, and until when."""

from __future__ import annotations

import pytest

from tests.unit.cluster.world_kit import P, World, checkpoint, part
from wire.cluster import commands as c
from wire.cluster.backup import restoring
from wire.cluster.commands import Applied, Committed
from wire.cluster.encoding import encode
from wire.cluster.state import DISCOVERY, JobId, NodeName, TaskKey


def apply_files(world: World, spec: str, job: str, **more: object) -> None:
    command = world.applying(spec, job, **more)
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    world.the(Applied, c.ApplyFilePipeline(**fields))


@pytest.fixture
def world() -> World:
    """A pipeline that writes files, in one task on a, in a cluster of a and b."""
    world = World()
    world.node("a", newest=4)
    world.node("b", newest=4)
    world.do(c.EnableCommands(at_ms=world.at_ms, version=4))
    apply_files(world, "1", "j")
    world.spread("j", "xy")
    commit(world, "j", world.run("j", 0, "a"))
    return world


def commit(world: World, job: str, epoch: int, seq: int = 1) -> None:
    rows = (part("x"), checkpoint(seq)), (part("y"), checkpoint(seq))
    command = c.TaskCheckpoints(key=TaskKey(JobId(job), 0), epoch=epoch, checkpoints=rows)
    assert world.the(Committed, c.CommitCheckpoints(at_ms=world.at_ms, tasks=(command,))).refusals == (None,)


def test_it_is_at_home_where_it_committed_files_first(world: World) -> None:
    assert world.pipeline().home == "a"
    assert world.job("j").keeps_files


def test_before_it_has_committed_anything_it_may_go_elsewhere() -> None:
    world = World()
    for name in ("a", "b"):
        world.node(name, newest=4)
    world.do(c.EnableCommands(at_ms=world.at_ms, version=4))
    apply_files(world, "1", "j")
    world.spread("j", "xy")
    world.release("j", 0, world.run("j", 0, "a"))
    assert world.pipeline().home is None
    commit(world, "j", world.run("j", 0, "b"))
    assert world.pipeline().home == "b"


def test_it_is_neither_meant_for_another_node_nor_begun_there(world: World) -> None:
    world.assign("j", 0, "b")
    assert world.task("j").target == "a"
    world.release("j", 0, world.task("j").epoch)
    world.assign("j", DISCOVERY, "b")
    assert world.task("j", DISCOVERY).target == "b"
    world.assign("j", 0, "b")
    assert world.start("j", 0, "b") is None
    assert world.start("j", 0, "a") is not None


def test_a_namesake_finds_the_files_of_the_one_before(world: World) -> None:
    world.delete(keep=True)
    apply_files(world, "9", "k")
    assert world.pipeline().home == "a"
    world.delete(keep=True)
    world.do(c.RemoveNode(at_ms=world.at_ms, name=NodeName("a")))
    apply_files(world, "9", "l")
    assert world.pipeline().home is None


def test_applied_anew_it_is_bound_though_it_was_not_before() -> None:
    world = World()
    world.node("a", newest=4)
    world.apply("1", "j")
    assert world.pipeline().current_version.keeps_files is None
    world.do(c.EnableCommands(at_ms=world.at_ms, version=4))
    apply_files(world, "1", "k")
    assert world.job("k").keeps_files
    assert world.pipeline().current == 2
    apply_files(world, "1", "l")
    assert world.pipeline().current == 2


def test_an_older_version_of_which_nobody_knows_goes_on_where_the_files_are() -> None:
    world = World()
    for name in ("a", "b"):
        world.node(name, newest=4)
    world.apply("1", "j")
    world.do(c.EnableCommands(at_ms=world.at_ms, version=4))
    apply_files(world, "2", "k")
    world.spread("k", "xy")
    commit(world, "k", world.run("k", 0, "a"))
    world.the(Applied, c.RollBack(at_ms=world.at_ms, key=P, to=1, job=JobId("l")))
    assert (world.job("l").keeps_files, world.pipeline().home) == (True, "a")


def test_to_look_for_partitions_is_not_to_write() -> None:
    world = World()
    world.node("a", newest=4)
    world.do(c.EnableCommands(at_ms=world.at_ms, version=4))
    apply_files(world, "1", "j")
    world.run("j", DISCOVERY, "a")
    assert world.pipeline().home is None


def test_one_that_writes_no_files_is_at_home_nowhere(world: World) -> None:
    world.apply("2", "k")
    world.spread("k", "xy")
    world.release("j", 0, world.task("j", 0).epoch)
    commit(world, "k", world.run("k", 0, "b"), seq=2)
    assert world.pipeline().home == "a"  # the files of the version before are there still, and it may come back
    assert not world.job("k").keeps_files


def test_it_stays_at_home_through_stops_and_new_versions(world: World) -> None:
    world.desire("stopped")
    world.desire("running", "k")
    apply_files(world, "2", "l")
    assert (world.pipeline().home, world.job("l").keeps_files) == ("a", True)


def test_a_version_that_is_gone_back_to_writes_files_as_it_did(world: World) -> None:
    world.apply("2", "k")
    world.the(Applied, c.RollBack(at_ms=world.at_ms, key=P, to=1, job=JobId("l")))
    assert world.job("l").keeps_files


@pytest.mark.parametrize("how", ["reset", "other source", "node removed", "node leaves"])
def test_what_is_of_no_account_any_more_binds_nobody(world: World, how: str) -> None:
    match how:
        case "reset":
            world.desire("stopped")
            world.reset()
        case "other source":
            apply_files(world, "2", "k", keeps_positions=False)
        case "node removed":
            world.do(c.RemoveNode(at_ms=world.at_ms, name=NodeName("a")))
        case "node leaves":
            world.do(c.LeaveNode(at_ms=world.at_ms, name=NodeName("a")))
    assert world.pipeline().home is None


def test_a_node_that_leaves_becomes_nobodys_home(world: World) -> None:
    world.do(c.LeaveNode(at_ms=world.at_ms, name=NodeName("a")))
    commit(world, "j", world.task("j").epoch, seq=2)  # the last it does there
    assert world.pipeline().home is None


def test_a_node_that_is_drained_or_comes_back_is_home_still(world: World) -> None:
    world.do(c.DrainNode(at_ms=world.at_ms, name=NodeName("a"), draining=True))
    world.node("a", incarnation="other", newest=4)
    assert world.pipeline().home == "a"


def test_before_all_nodes_know_of_homes_nobody_has_one() -> None:
    world = World()
    world.node("a", newest=4)
    apply_files(world, "1", "j")
    world.spread("j", "xy")
    world.run("j", 0, "a")
    assert world.pipeline().home is None


def test_a_backup_is_restored_without_homes(world: World) -> None:
    found = restoring(world.state, 4, at_ms=1, actor="ada", new_job=lambda: JobId("k"))
    assert [pipeline.home for pipeline in found.final.pipelines] == [None]
    assert found.final.pipelines[0].current_version.keeps_files


def test_a_backup_is_restored_without_what_the_nodes_do_not_know_yet(world: World) -> None:
    found = restoring(world.state, 3, at_ms=1, actor="ada", new_job=lambda: JobId("k"))
    assert found.final.pipelines[0].current_version.keeps_files is None
    assert b"keeps_files" not in encode(found.final)
