"""Tasks on real worker processes: spread, begun, ended, committed; and what one task does to the others."""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog

from tests.integration.workers_kit import SETTINGS, Cluster, alive, endless, from_file, numbered, numbers, slowly
from tests.waiting import until
from wire.core.permissions import Permissions
from wire.core.records import PartitionId, PartitionKey
from wire.core.units import Duration, Size

FUNCTIONS = "tests.integration.worker_functions"


async def test_discovery_finds_the_partitions_and_tasks_share_them(tmp_path: Path) -> None:
    files = [numbered(tmp_path / f"{name}.jsonl", 1000) for name in "abc"]
    spec = from_file("shared", str(tmp_path / "?.jsonl"), tmp_path / "out.jsonl")
    cluster = Cluster()
    async with cluster.running():
        look = cluster.discover(spec)
        await until(lambda: bool(cluster.found))
        assert cluster.found == [tuple(PartitionKey("file", PartitionId(name)) for name in files)]
        first, second = cluster.begin(spec, *files[:2]), cluster.begin(spec, files[2], slot=1)
        await cluster.over(first.task)
        await cluster.over(second.task)
        numbered(tmp_path / "d.jsonl", 1)
        await until(lambda: len(cluster.found) == 2)
        assert len(cluster.found[1]) == 4
        cluster.supervisor.end(look, 5)
        await until(lambda: cluster.released == [look])
    assert sorted(numbers(tmp_path / "out.jsonl")) == sorted([*range(1000), *range(1000)])
    assert numbers(tmp_path / "out-s1.jsonl") == list(range(1000))
    assert not cluster.refusals


async def test_tasks_are_spread_evenly_over_workers() -> None:
    cluster = Cluster(msgspec.structs.replace(SETTINGS, count=2))
    async with cluster.running():
        await cluster.pids(2)
        runs = [cluster.begin(endless(f"p{number}"), "generate") for number in range(6)]
        assert [worker.tasks for worker in cluster.supervisor.workers()] == [3, 3]
        await until(lambda: all(cluster.read(run) for run in runs))


async def test_a_run_that_no_worker_took_yet_can_be_ended() -> None:
    cluster = Cluster()
    async with cluster.running():
        run = cluster.begin(endless("early"), "generate")
        cluster.supervisor.end(run, 5)
        await until(lambda: cluster.released == [run])
        await cluster.pids()
        assert not cluster.supervisor.progress()


async def test_a_drained_task_has_committed_what_it_wrote_and_goes_on_from_there(tmp_path: Path) -> None:
    cluster = Cluster()
    async with cluster.running():
        run = cluster.begin(slowly("drained", 8000, tmp_path / "out.jsonl"), "generate")
        await until(lambda: cluster.read(run) > 100)
        await cluster.supervisor.drain(30)
        assert cluster.released == [run]
        so_far = numbers(tmp_path / "out.jsonl")
        assert so_far == list(range(len(so_far)))
        assert 100 < len(so_far) < 8000
        again = cluster.begin_again(run.task)
        await cluster.over(again.task)
    assert numbers(tmp_path / "out.jsonl") == list(range(8000))


async def test_leaving_kills_the_workers() -> None:
    cluster = Cluster(msgspec.structs.replace(SETTINGS, count=2))
    async with cluster.running():
        pids = await cluster.pids(2)
    assert not any(map(alive, pids))


async def test_an_older_epoch_commits_nothing_and_ends() -> None:
    cluster = Cluster()
    async with cluster.running():
        old = cluster.begin(endless("fenced"), "generate")
        await until(lambda: bool(cluster.checkpoints))
        new = cluster.begin_again(old.task)
        await until(lambda: cluster.fenced == [old])
        assert set(cluster.refusals) == {"fenced"}
        before = cluster.commits
        await until(lambda: cluster.commits > before + 3)
        await until(lambda: cluster.read(new) > 0)
    assert not cluster.failed


async def test_a_task_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"n":1}\nnot json\n')
    bad = from_file("bad", str(tmp_path / "bad.jsonl"), tmp_path / "out.jsonl", transforms=[{"filter": "n > 0"}])
    cluster = Cluster()
    async with cluster.running():
        good = cluster.begin(endless("good"), "generate")
        await until(lambda: cluster.read(good) > 0)
        run = cluster.begin(bad, str(tmp_path / "bad.jsonl"))
        await until(lambda: run in cluster.failed)
        assert cluster.failed[run].code == "record.decode"
        assert cluster.failed[run].path is not None
        before = cluster.read(good)
        await until(lambda: cluster.read(good) > before)
    assert not cluster.lost


async def test_a_spec_that_lint_refuses_fails_with_place_and_hint() -> None:
    cluster = Cluster()
    async with cluster.running():
        run = cluster.begin(endless("wrong", sink={"type": "dropp", "config": {"colour": 1}}), "generate")
        await until(lambda: run in cluster.failed)
    error = cluster.failed[run]
    assert (error.code, error.path) == ("config.unknown_component", "$.sink.type")
    assert error.hint == "did you mean `drop`?"


async def test_what_the_operator_has_not_allowed_is_refused_by_the_worker(tmp_path: Path) -> None:
    (tmp_path / "node.key").write_text("very secret")
    cluster = Cluster(msgspec.structs.replace(SETTINGS, permissions=Permissions()))
    reaching = [
        endless("callable", transforms=[{"python": f"{FUNCTIONS}:same"}]),
        endless("path", sink={"type": "file", "config": {"path": str(tmp_path / "out")}}),
        endless("key", sink={"type": "http", "config": {"url": f"http://h/${{file:{tmp_path}/node.key}}"}}),
        endless("env", sink={"type": "http", "config": {"url": "http://h/${env:HOME}"}}),
    ]
    async with cluster.running():
        runs = [cluster.begin(spec, "generate") for spec in reaching]
        await until(lambda: len(cluster.failed) == len(runs))
    assert {cluster.failed[run].code for run in runs} == {"config.not_allowed"}
    assert [cluster.failed[run].path for run in runs] == [
        "$.transforms[0].python",
        "$.sink.config.path",
        "$.sink.config.url",
        "$.sink.config.url",
    ]
    assert "very secret" not in repr(cluster.failed)


async def test_memory_stays_flat_while_commits_are_not_answered() -> None:
    cluster = Cluster()
    async with cluster.running():
        await cluster.pids()
        run = cluster.begin(endless("uncommitted", rate=None), "generate")
        await until(lambda: cluster.commits > 0)
        cluster.answers.clear()
        await until(lambda: cluster.read(run) > 300_000, 60)
        (before,) = cluster.supervisor.workers()
        read = cluster.read(run)
        await until(lambda: cluster.read(run) > read + 1_000_000, 80)
        (after,) = cluster.supervisor.workers()
        assert after.rss_bytes < before.rss_bytes + (32 << 20)
        cluster.answers.set()
        commits = cluster.commits
        await until(lambda: cluster.commits > commits + 1)
    assert not cluster.lost
    assert not cluster.refusals


async def test_busy_tasks_let_their_worker_answer_in_time() -> None:
    busy = [endless(f"busy{number}", rate=None, transforms=[{"python": f"{FUNCTIONS}:slow"}]) for number in range(4)]
    cluster = Cluster(msgspec.structs.replace(SETTINGS, max_silence=Duration(5000)))
    async with cluster.running():
        calm = cluster.begin(endless("calm"), "generate")
        runs = [cluster.begin(spec, "generate") for spec in busy]
        await until(lambda: all(cluster.read(run) > 50_000 for run in runs), 80)
        await until(lambda: cluster.read(calm) > 300)
    assert not cluster.lost


async def test_a_worker_that_outgrows_its_memory_is_replaced() -> None:
    cluster = Cluster(msgspec.structs.replace(SETTINGS, max_memory=Size(8 << 20)))
    with structlog.testing.capture_logs() as logs:
        async with cluster.running():
            cluster.begin(endless("large"), "generate")
            await until(lambda: len(cluster.lost) >= 2, 60)
    assert {entry["code"] for entry in logs if entry["event"] == "worker_lost"} == {"worker.memory_exceeded"}
