"""Workers that die, hang or stand still, and nodes that die: nothing is lost, nobody goes on alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import structlog

from tests.integration.workers_kit import (
    SETTINGS,
    Cluster,
    alive,
    calling,
    endless,
    kill,
    numbers,
    slowly,
)
from tests.waiting import until
from wire.core.units import Duration, Size

FUNCTIONS = "tests.integration.worker_functions"


async def kill_between_write_and_checkpoint(cluster: Cluster) -> None:
    """Let a commit wait for its answer, then kill the worker it came from."""
    cluster.answers.clear()
    commits, losses = cluster.commits, len(cluster.lost)
    await until(lambda: cluster.commits > commits)
    (pid,) = await cluster.pids()
    kill(pid)
    await until(lambda: len(cluster.lost) > losses)
    cluster.answers.set()


async def test_a_worker_killed_between_write_and_checkpoint_repeats_and_never_skips(tmp_path: Path) -> None:
    cluster = Cluster()
    async with cluster.running():
        run = cluster.begin(slowly("killed", 10_000, tmp_path / "out.jsonl"), "generate")
        for _ in range(3):
            await kill_between_write_and_checkpoint(cluster)
        await cluster.over(run.task)
        assert cluster.refusals == ["fenced"] * 3
        assert len(set(cluster.lost)) == 3
    assert numbers(tmp_path / "out.jsonl") == list(range(10_000))


async def test_a_worker_that_stands_still_is_killed_and_replaced(tmp_path: Path) -> None:
    cluster = Cluster(msgspec.structs.replace(SETTINGS, max_silence=Duration(2000)))
    with structlog.testing.capture_logs() as logs:
        async with cluster.running():
            run = cluster.begin(endless("stopped"), "generate")
            await until(lambda: cluster.read(run) > 0)
            (pid,) = await cluster.pids()
            os.kill(pid, signal.SIGSTOP)
            await until(lambda: cluster.lost == [run])
            assert not alive(pid)
            await until(lambda: any(cluster.read(each) for each in cluster.supervisor.progress()))
    assert [entry["code"] for entry in logs if entry["event"] == "worker_lost"] == ["worker.unresponsive"]


async def test_a_task_that_never_returns_costs_its_own_worker_only(tmp_path: Path) -> None:
    cluster = Cluster(msgspec.structs.replace(SETTINGS, count=2, max_silence=Duration(2000)))
    async with cluster.running():
        await cluster.pids(2)
        good = cluster.begin(endless("good"), "generate")
        stuck = cluster.begin(calling("stuck", "hang", tmp_path / "marker"), "generate")
        await until(lambda: len(cluster.lost) >= 3)
        late = cluster.begin(endless("late"), "generate")
        before = cluster.read(good)
        await until(lambda: cluster.read(good) > before and cluster.read(late) > 0)
        assert {run.task for run in cluster.lost} == {stuck.task}


async def test_a_task_that_does_not_let_go_is_ended_with_its_worker(tmp_path: Path) -> None:
    cluster = Cluster(msgspec.structs.replace(SETTINGS, max_silence=Duration(600_000), grace=Duration(500)))
    with structlog.testing.capture_logs() as logs:
        async with cluster.running():
            run = cluster.begin(calling("stuck", "hang", tmp_path / "marker"), "generate")
            await until((tmp_path / "marker").exists)
            await cluster.supervisor.drain(0.1)
            assert cluster.released == [run]
            assert not cluster.lost
    assert [entry["code"] for entry in logs if entry["event"] == "worker_lost"] == ["worker.not_drained"]


async def test_a_task_that_hoards_memory_costs_the_others_nothing_but_time(tmp_path: Path) -> None:
    limit, out = Size(256 << 20), tmp_path / "out.jsonl"
    cluster = Cluster(msgspec.structs.replace(SETTINGS, max_memory=limit))
    with structlog.testing.capture_logs() as logs:
        async with cluster.running():
            good = cluster.begin(slowly("good", 20_000, out), "generate")
            await until(lambda: cluster.read(good) > 0)
            await cluster.pids()
            (worker,) = cluster.supervisor.workers()
            assert worker.rss_bytes < limit.bytes / 2, "it is the task that makes it large"
            greedy = cluster.begin(endless("greedy", transforms=[{"python": f"{FUNCTIONS}:hoard"}]), "generate")
            await until(lambda: {good, greedy} <= set(cluster.lost), 60)
            await cluster.over(good.task)
    losses = [entry for entry in logs if entry["event"] == "worker_lost"]
    assert {entry["code"] for entry in losses} == {"worker.memory_exceeded"}
    assert losses[0]["error"].endswith("256MiB are allowed")
    assert numbers(out) == list(range(20_000))


async def test_a_worker_that_talks_garbage_is_replaced() -> None:
    cluster = Cluster()
    with structlog.testing.capture_logs() as logs:
        async with cluster.running():
            run = cluster.begin(endless("garbled", transforms=[{"python": f"{FUNCTIONS}:garble"}]), "generate")
            await until(lambda: run in cluster.lost)
    assert {entry["code"] for entry in logs if entry["event"] == "worker_lost"} == {"worker.protocol_fault"}


async def test_workers_that_can_not_be_started_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    with structlog.testing.capture_logs() as logs, monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/nowhere/python")
        async with cluster.running():
            run = cluster.begin(endless("late"), "generate")
            await until(lambda: cluster.losses >= 3)
            patched.undo()
            await until(lambda: cluster.read(run) > 0)
    assert {entry["code"] for entry in logs if entry["event"] == "worker_lost"} == {"worker.not_started"}


async def test_a_worker_that_never_gets_ready_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "sleeper"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    cluster = Cluster(msgspec.structs.replace(SETTINGS, max_start=Duration(1000)))
    with structlog.testing.capture_logs() as logs, monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(program))
        async with cluster.running():
            await until(lambda: cluster.losses >= 2)
    assert {entry["code"] for entry in logs if entry["event"] == "worker_lost"} == {"worker.unresponsive"}


@contextlib.asynccontextmanager
async def node(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[int]]]:
    """A node's process in which two workers are at work, and their process ids."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.supervisor_victim", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    pids: list[int] = []
    try:
        async with asyncio.timeout(120):
            pids = [int(pid) for pid in (await process.stdout.readline()).split()]
        assert len(pids) == 2
        assert all(map(alive, pids))
        yield process, pids
    finally:
        for pid in (process.pid, *pids):
            with contextlib.suppress(ProcessLookupError):
                kill(pid)
        await process.wait()


@pytest.mark.parametrize("function", ["", "hang", "hold"])
async def test_workers_do_not_outlive_a_killed_node_whatever_they_do(function: str, tmp_path: Path) -> None:
    async with node(*([function, str(tmp_path)] if function else [])) as (process, pids):
        process.kill()
        await until(lambda: not any(map(alive, pids)), 20)


async def test_workers_that_stand_still_do_not_outlive_a_killed_node() -> None:
    async with node() as (process, pids):
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        process.kill()
        await until(lambda: not any(map(alive, pids)), 20)


async def test_workers_of_a_node_that_stands_still_end() -> None:
    async with node() as (process, pids):
        process.send_signal(signal.SIGSTOP)
        await until(lambda: not any(map(alive, pids)), 60)
        assert process.returncode is None
        process.send_signal(signal.SIGCONT)
