"""From what discovery finds to the end of a task: each step of a hand-over, and what is out of date in one."""

from __future__ import annotations

import pytest

from tests.unit.cluster.world_kit import World, parts
from wire.cluster import commands as c
from wire.cluster.state import DISCOVERY, JobId, NodeName, TaskKey


@pytest.fixture
def world() -> World:
    """A pipeline with a job of two tasks, and two nodes; nothing is placed but discovery, on a."""
    world = World()
    world.node("a")
    world.node("b")
    world.apply("1", "j")
    world.spread("j", "xy", "z")
    return world


def test_a_job_begins_with_its_discovery_alone() -> None:
    world = World()
    world.apply("1", "j")
    assert [task.key.slot for task in world.state.tasks_of(JobId("j"))] == [DISCOVERY]
    assert world.job("j").partitions is None
    assert world.job("j").started_ms == world.state.now_ms


def test_partitions_are_kept_sorted_and_each_once(world: World) -> None:
    world.report("j", "zzax")
    assert world.job("j").partitions == parts("axz")


def test_a_report_counts_only_under_the_epoch_of_the_running_discovery(world: World) -> None:
    epoch = world.task("j", DISCOVERY).epoch
    world.report("j", "a", epoch=epoch + 1)
    assert world.job("j").partitions == parts("xyz")
    world.release("j", DISCOVERY, epoch)
    world.report("j", "a", epoch=epoch)
    assert world.job("j").partitions == parts("xyz")


def test_a_report_about_a_job_that_is_over_changes_nothing(world: World) -> None:
    world.desire("stopped")
    world.report("j", "a")
    assert world.job("j").partitions == parts("xyz")


def test_shares_are_given_slot_by_slot(world: World) -> None:
    assert world.task("j", 0).share == parts("xy")
    assert world.task("j", 1).share == parts("z")
    assert world.job("j").shares_revision == 1


@pytest.mark.parametrize(
    ("shares", "revision"),
    [
        (["xyz"], 0),
        (["xy"], 1),
        (["xy", "zz"], 1),
        (["xy", "za"], 1),
        ([], 1),
    ],
    ids=["dealt meanwhile", "one is missing", "one is there twice", "one too many", "none at all"],
)
def test_what_is_not_a_division_of_the_partitions_is_refused(world: World, shares: list[str], revision: int) -> None:
    assert world.refusal(world.dealing("j", *shares, revision=revision)) == "cluster.shares_changed"
    assert world.task("j", 0).share == parts("xy")


def test_only_an_active_job_is_dealt(world: World) -> None:
    assert world.refusal(world.dealing("other", revision=0)) == "cluster.job_not_active"
    world.desire("stopped")
    assert world.refusal(world.dealing("j", "xy", "z")) == "cluster.job_not_active"


def test_before_the_first_report_there_is_nothing_to_deal() -> None:
    world = World()
    world.apply("1", "j")
    assert world.refusal(world.dealing("j")) == "cluster.shares_changed"


def test_a_task_without_a_share_goes_when_nobody_runs_it(world: World) -> None:
    epoch = world.run("j", 1, "b")
    world.assign("j", 0, "a")
    world.deal("j", "xyz")
    assert world.task("j", 0).share == parts("xyz")
    assert world.task("j", 0).target == "a"
    assert world.task("j", 1).target is None
    assert world.start("j", 1, "b") is None
    world.release("j", 1, epoch)
    assert not world.has_task("j", 1)


def test_a_task_left_over_gets_a_share_again_before_it_is_released(world: World) -> None:
    epoch = world.run("j", 1, "b")
    world.deal("j", "xyz")
    world.deal("j", "x", "yz")
    world.release("j", 1, epoch)
    assert world.task("j", 1).share == parts("yz")


def test_less_to_read_is_not_all_read(world: World) -> None:
    world.deal("j", "x", "yz")
    assert not world.task("j", 0).ended


def test_an_empty_share_makes_no_task(world: World) -> None:
    world.deal("j", "x", "y", "", "z")
    assert not world.has_task("j", 2)
    assert world.task("j", 3).share == parts("z")


# placing


def test_a_target_is_a_node_that_takes_work(world: World) -> None:
    world.do(c.DrainNode(at_ms=1, name=NodeName("b"), draining=True))
    for node in ("b", "nobody"):
        world.assign("j", 0, node)
        assert world.task("j", 0).target is None
    world.assign("nothing", 0, "a")
    world.assign("j", 0, "a")
    moved = world.task("j", 0).moved_ms
    assert world.task("j", 0).target == "a"
    assert moved == world.state.now_ms
    world.assign("j", 0, "a")
    assert world.task("j", 0).moved_ms == moved, "it was there already"


def test_what_is_not_to_run_gets_no_target(world: World) -> None:
    world.desire("paused")
    world.assign("j", 0, "a")
    assert world.task("j", 0).target is None
    world.desire("running")
    epoch = world.run("j", 0, "a")
    world.end("j", 0, epoch)
    world.assign("j", 0, "a")
    assert world.task("j", 0).target is None
    epoch = world.run("j", 1, "a")
    world.desire("stopped")
    world.assign("j", 1, "a")
    assert world.task("j", 1).target is None
    assert world.task("j", 1).epoch == epoch


def test_a_left_over_task_gets_no_target(world: World) -> None:
    world.run("j", 1, "b")
    world.deal("j", "xyz")
    world.assign("j", 1, "b")
    assert world.task("j", 1).target is None


# starting


def test_each_start_takes_the_next_epoch_of_the_cluster(world: World) -> None:
    first = world.run("j", 0, "a")
    assert world.run("j", 1, "b") == first + 1
    task = world.task("j", 1)
    assert (task.owner, task.epoch, task.held) == ("b", first + 1, parts("z"))
    assert world.state.last_epoch == first + 1


def test_the_owner_begins_again_under_a_new_epoch(world: World) -> None:
    first = world.run("j", 0, "a")
    assert world.start("j", 0, "a") == first + 1
    world.release("j", 0, first)
    assert world.task("j", 0).owner == "a", "an epoch that is over releases nothing"


@pytest.mark.parametrize(
    ("job", "slot", "node", "incarnation"),
    [("other", 0, "a", "i"), ("j", 9, "a", "i"), ("j", 0, "b", "i"), ("j", 0, "nobody", "i"), ("j", 0, "a", "other")],
    ids=["unknown job", "unknown slot", "not its target", "unknown node", "another incarnation"],
)
def test_what_may_not_be_started_gets_no_epoch(world: World, job: str, slot: int, node: str, incarnation: str) -> None:
    world.assign("j", 0, "a")
    before = world.state.last_epoch
    assert world.start(job, slot, node, incarnation) is None
    assert world.state.last_epoch == before


def test_answers_are_in_the_order_of_the_tasks(world: World) -> None:
    world.assign("j", 1, "a")
    tasks = tuple(TaskKey(JobId("j"), slot) for slot in (0, 1, 1))
    started = world.the(c.Started, c.StartTasks(at_ms=1, node=NodeName("a"), incarnation="i", tasks=tasks))
    last = world.state.last_epoch
    assert started.epochs == (None, last - 1, last)


def test_a_task_is_handed_over_in_steps(world: World) -> None:
    first = world.run("j", 0, "a")
    world.assign("j", 0, "b")
    assert world.start("j", 0, "b") is None, "a has it still"
    assert world.start("j", 0, "a") is None, "it is not meant for a any more"
    world.release("j", 0, first)
    second = world.start("j", 0, "b")
    assert second is not None
    assert second > first


def test_a_partition_that_another_task_holds_is_waited_for(world: World) -> None:
    epochs = [world.run("j", 0, "a"), world.run("j", 1, "b")]
    world.deal("j", "x", "yz")
    assert world.task("j", 0).held == parts("xy"), "what runs goes on with what it has"
    assert world.start("j", 1, "b") is None, "y is held by slot 0"
    world.release("j", 0, epochs[0])
    assert world.start("j", 1, "b") is not None
    assert world.start("j", 0, "a") is not None


def test_a_new_jobs_task_waits_for_the_old_ones(world: World) -> None:
    old = world.run("j", 0, "a")
    world.apply("2", "k")
    assert world.task("j", 0).target is None
    world.spread("k", "x", "yz", node="b")
    world.assign("k", 0, "b")
    assert world.start("k", 0, "b") is None
    world.release("j", 0, old)
    assert not world.has_task("j", 0)
    assert world.start("k", 0, "b") is not None


# stopping


def test_revoking_takes_what_was_started_up_to_an_epoch(world: World) -> None:
    first, second = world.run("j", 0, "a"), world.run("j", 1, "a")
    world.revoke("a", first)
    assert world.task("j", 0).owner is None
    assert world.task("j", 0).held == ()
    assert world.task("j", 0).target == "a", "where it is to run is the scheduler's business"
    assert world.task("j", 1).epoch == second
    assert world.task("j", 1).owner == "a"
    world.revoke("b", 1000)
    assert world.task("j", 1).owner == "a"


def test_a_revoked_epoch_is_burnt(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.revoke("a", epoch)
    world.fail("j", 0, epoch)
    world.end("j", 0, epoch)
    assert world.job("j").state == "active"
    assert not world.task("j", 0).ended
    assert world.start("j", 0, "a") == epoch + 1


def test_a_release_that_names_wrong_and_right_epochs_counts(world: World) -> None:
    epoch = world.run("j", 0, "a")
    key = TaskKey(JobId("j"), 0)
    world.do(c.ReleaseTasks(at_ms=1, tasks=((key, epoch), (key, epoch), (key, epoch - 1))))
    assert world.task("j", 0).owner is None


def test_pausing_takes_targets_and_resuming_goes_on_with_the_job(world: World) -> None:
    epoch = world.run("j", 0, "a")
    world.assign("j", 1, "b")
    world.desire("paused")
    assert world.task("j", 0).target is None
    assert world.task("j", 1).target is None
    assert world.task("j", 0).owner == "a"
    assert world.start("j", 0, "a") is None
    world.release("j", 0, epoch)
    assert world.desire("running").job == "j"
    assert world.run("j", 0, "b") > epoch
