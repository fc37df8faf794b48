"""`wire serve` alone: pipelines over HTTP, and whatever is killed, nothing is missing and nothing is there twice."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from tests.e2e.command import wire
from tests.e2e.nodes_kit import NodeProcess, copying, create, endless, lines, numbered, reaches, status
from tests.waiting import until


async def test_a_pipeline_that_is_sent_to_a_blank_node_runs_to_its_end(tmp_path: Path) -> None:
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    node = NodeProcess(tmp_path, "n1", "--allow-paths", tmp_path)
    async with node.running() as client:
        await create(client, copying("copy", source, target, rate=100_000))
        await reaches(client, "copy", "done")
        assert target.read_bytes() == source.read_bytes()


async def test_nothing_is_missing_or_twice_after_workers_and_the_node_were_killed(tmp_path: Path) -> None:
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    node = NodeProcess(tmp_path, "n1", "--allow-paths", tmp_path)
    async with node.running() as client:
        await create(client, copying("copy", source, target))
        await until(lambda: lines(target) > 200, 120)
        node.kill_workers()
        seen = lines(target)
        await until(lambda: lines(target) > seen + 500, 120)
        await node.kill()
    async with node.running() as client:
        await reaches(client, "copy", "done")
    assert target.read_bytes() == source.read_bytes()


async def test_what_is_paused_stays_so_when_the_node_is_started_again(tmp_path: Path) -> None:
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    node = NodeProcess(tmp_path, "n1", "--allow-paths", tmp_path)
    async with node.running() as client:
        await create(client, copying("copy", source, target))
        await until(lambda: lines(target) > 200, 120)
        (await client.put("/api/v1/pipelines/copy/pause")).raise_for_status()
        await reaches(client, "copy", "paused")
    async with node.running() as client:
        assert (await status(client, "copy"))["state"] == "paused"
        (await client.put("/api/v1/pipelines/copy/resume")).raise_for_status()
        await reaches(client, "copy", "done")
    assert target.read_bytes() == source.read_bytes()


async def test_a_stopped_pipeline_lets_go_of_everything_and_goes_on_from_there_when_started(tmp_path: Path) -> None:
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    node = NodeProcess(tmp_path, "n1", "--allow-paths", tmp_path)
    async with node.running() as client:
        await create(client, copying("copy", source, target))
        await until(lambda: lines(target) > 200, 120)
        (await client.put("/api/v1/pipelines/copy/stop")).raise_for_status()
        await reaches(client, "copy", "stopped")
        assert (await status(client, "copy"))["tasks"]["total"] == 0
        (await client.put("/api/v1/pipelines/copy/start")).raise_for_status()
        await reaches(client, "copy", "done")
    assert target.read_bytes() == source.read_bytes()


async def test_a_node_that_is_asked_to_end_hands_its_tasks_back_and_exits_with_0(tmp_path: Path) -> None:
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    node = NodeProcess(tmp_path, "n1", "--allow-paths", tmp_path)
    async with node.running() as client:
        await create(client, copying("copy", source, target))
        await create(client, endless("endless"))
        await reaches(client, "endless", "running")
        await until(lambda: lines(target) > 200, 120)
        assert await node.stop() == 0
    assert "node_stopped" in node.said
    assert "not_all_handed_over" not in node.said
    assert "tasks_not_released" not in node.said
    async with node.running() as client:
        await reaches(client, "copy", "done")
    assert target.read_bytes() == source.read_bytes()


async def test_an_address_or_a_folder_that_is_in_use_is_said_with_what_to_do(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, "n1")
    async with node.running():
        other = await wire("serve", "--listen", node.address, "--data-dir", "other", cwd=tmp_path)
        assert other.code == 3
        assert "node.address_in_use" in other.err
        assert "--listen" in other.err
        same = await wire("serve", "--node-id", "n1", "--data-dir", node.folder, cwd=tmp_path)
        assert same.code == 3
        assert "node.data_in_use" in same.err
        assert "--data-dir" in same.err
    assert not (tmp_path / "other" / "raft").exists()


async def test_workers_keep_to_the_cores_they_are_given(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, "n1")
    one = min(os.sched_getaffinity(0))
    async with node.running("--workers", "2", "--worker-cpus", "1"):
        await until(lambda: [cores(pid) for pid in node.workers()] == [{one}, {one}], 120)


async def test_workers_that_hold_more_memory_than_they_are_given_are_replaced(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, "n1")
    async with node.running("--workers", "2", "--worker-memory", "10MiB"):
        await until(lambda: len(node.workers()) == 2, 120)
        first = node.workers()
        await until(lambda: not {*first} & {*node.workers()}, 120)  # nobody starts with so little
    assert "worker.memory_exceeded" in node.said


def cores(pid: int) -> set[int]:
    """The cores that any thread of a process may use."""
    found: set[int] = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            found |= os.sched_getaffinity(int(thread.name))
    return found


async def test_a_node_and_its_workers_may_open_as_many_files_as_the_system_lets_them(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))  # what the node is started with
    try:
        node = NodeProcess(tmp_path, "n1")
        async with node.running():
            await until(lambda: len(node.workers()) == 1, 120)
            for pid in (node.process.pid, *node.workers()):
                assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_snapshot_of_the_state_is_taken_when_the_last_one_is_long_ago(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, "n1", "--snapshot-interval", "1s", "--log-compression", "zstd")
    snapshots = node.folder / "raft" / "snapshots"
    async with node.running() as client:
        founding = set(snapshots.iterdir())
        await create(client, endless("endless"))
        await until(lambda: len(set(snapshots.iterdir()) - founding) > 0)
    async with node.running() as client:
        await reaches(client, "endless", "running")
