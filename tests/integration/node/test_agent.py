"""A node's agent with real workers and real consensus: what it does when its lease ends, and when workers die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.e2e.nodes_kit import numbered
from tests.integration.node.agent_kit import JOB, Worked, working
from tests.waiting import until
from wire.cluster import checkpoints
from wire.cluster import commands as c
from wire.cluster.encoding import NEWEST
from wire.cluster.scheduler import SchedulerSettings
from wire.cluster.state import DISCOVERY, NodeName, PipelineKey
from wire.core.errors import RetryableError
from wire.node.leases import awake

DEADLINE_S = 120.0
SETTINGS = SchedulerSettings(lease_ms=600_000)
REGISTER = c.RegisterNode(at_ms=1, name=NodeName("n1"), incarnation="i", address="n1:1", workers=1)


@contextlib.asynccontextmanager
async def agent(folder: Path) -> AsyncIterator[Worked]:
    """An agent at work on the only node, which has no lease of its own yet, and an endless pipeline."""
    async with idle(folder) as worked:
        await worked.create()
        yield worked


@contextlib.asynccontextmanager
async def idle(folder: Path) -> AsyncIterator[Worked]:
    """The same without a pipeline."""
    async with working(folder, SETTINGS) as worked, worked.supervisor.running(), asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(worked.leading.run()), tasks.create_task(worked.agent.run())]
        member = await worked.register("n1")

        async def granted() -> None:
            while True:
                with contextlib.suppress(RetryableError):
                    return worked.leading.renew(member)
                await asyncio.sleep(0.05)

        await granted()
        yield worked
        for task in running:
            task.cancel()


def owners(worked: Worked) -> set[NodeName | None]:
    return {task.owner for task in worked.tasks()}


def epochs(worked: Worked) -> list[int]:
    return [task.epoch for task in worked.tasks() if task.owner is not None]


def commits(worked: Worked) -> int:
    """How far the one partition has come."""
    rows = next(iter(worked.state.checkpoints.values()), {})
    return sum(row.checkpoint.seq for row in rows.values())


def states(worked: Worked) -> set[str]:
    """How the runs of readers fare, as their worker says."""
    return {progress.state for run, progress in worked.supervisor.progress().items() if run.task.slot != DISCOVERY}


def hold(worked: Worked) -> None:
    worked.lease.renewed(awake() + 3_600_000)
    worked.agent.wake()


async def test_nothing_is_begun_before_there_is_a_lease_and_everything_stops_when_it_is_over(tmp_path: Path) -> None:
    async with agent(tmp_path) as worked:
        await until(lambda: {task.target for task in worked.tasks()} == {"n1"}, DEADLINE_S)
        assert owners(worked) == {None}
        worked.lease.renewed(awake())
        worked.agent.wake()
        await until(lambda: bool(epochs(worked)), DEADLINE_S)
        await until(lambda: owners(worked) == {None}, DEADLINE_S)
        await until(lambda: worked.agent.running == 0, DEADLINE_S)
        last = worked.state.last_epoch
        hold(worked)
        await until(lambda: bool(epochs(worked)), DEADLINE_S)
        assert min(epochs(worked)) > last


def kill_worker(worked: Worked) -> None:
    pid = worked.supervisor.workers()[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


async def test_tasks_of_a_worker_that_was_killed_go_on_under_new_epochs(tmp_path: Path) -> None:
    async with agent(tmp_path) as worked:
        hold(worked)
        await until(lambda: commits(worked) > 2, DEADLINE_S)
        before, reached = epochs(worked), commits(worked)
        kill_worker(worked)
        await until(lambda: len(epochs(worked)) == 2 and min(epochs(worked)) > max(before), DEADLINE_S)
        await until(lambda: commits(worked) > reached, DEADLINE_S)


async def test_a_task_of_a_new_version_that_begins_again_waits_for_what_is_away(tmp_path: Path) -> None:
    file = numbered(tmp_path / "in.jsonl")
    async with idle(tmp_path) as worked:
        hold(worked)
        await worked.create("file", {"type": "file", "config": {"path": str(file)}})
        await until(lambda: commits(worked) > 2, DEADLINE_S)
        before, away = epochs(worked), file.rename(tmp_path / "away")
        kill_worker(worked)
        await until(lambda: len(epochs(worked)) == 2 and min(epochs(worked)) > max(before), DEADLINE_S)
        await until(lambda: "retrying" in states(worked), DEADLINE_S)
        reached = commits(worked)
        away.rename(file)
        await until(lambda: commits(worked) > reached, DEADLINE_S)
        assert worked.state.jobs[JOB].state == "active"


async def test_a_job_fails_whose_partitions_the_cluster_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_PARTITIONS", 2)  # here, and not in the worker
    files = [numbered(tmp_path / f"{name}.jsonl") for name in "abc"]
    async with idle(tmp_path) as worked:
        await worked.served.propose(replace(REGISTER, newest_command=NEWEST))
        await until(lambda: worked.state.bounded, DEADLINE_S)
        hold(worked)
        await worked.create("files", {"type": "file", "config": {"path": str(files[0].parent / "*.jsonl")}})
        await until(lambda: worked.state.jobs[JOB].state == "failed", DEADLINE_S)
        error = worked.state.jobs[JOB].error
        assert error is not None
        assert error.code == "cluster.too_many_partitions"
        assert error.hint is not None
        await until(lambda: worked.agent.running == 0 and not worked.supervisor.progress(), DEADLINE_S)
        await worked.served.propose(c.DeletePipeline(at_ms=1, key=PipelineKey("default", "files")))
        assert JOB not in worked.state.jobs, "nothing of it is left"


async def test_leaving_ends_all_tasks_tells_the_cluster_and_begins_none(tmp_path: Path) -> None:
    async with agent(tmp_path) as worked:
        hold(worked)
        await until(lambda: commits(worked) > 2, DEADLINE_S)
        await worked.agent.leave(30)
        assert owners(worked) == {None}
        assert worked.agent.running == 0
