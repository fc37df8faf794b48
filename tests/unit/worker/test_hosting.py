"""One run of a task in this process: what becomes of it, and what is said when it can't go on."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.waiting import until
from wire.cluster import checkpoints
from wire.cluster.state import DISCOVERY, JobId, PipelineKey, TaskKey
from wire.core.clock import SystemClock
from wire.core.errors import RestartError
from wire.core.permissions import EVERYTHING
from wire.core.ports import Lag
from wire.core.records import Checkpoint, PartitionId, PartitionKey
from wire.sources.generate.source import GenerateReader
from wire.worker.discretion import Discretion
from wire.worker.hosting import Hosted, Outcome
from wire.worker.protocol import Begin, Ended, Failed, Refusal, Released, Run

Committed = tuple[tuple[PartitionKey, Checkpoint], ...]


class Node:
    """Hosts one run and answers its commits."""

    def __init__(self, spec: dict[str, Any], *partitions: str, slot: int = 0, patient: bool = False) -> None:
        source = spec["source"]["type"]
        self.begun = Begin(
            run=Run(TaskKey(JobId("j"), slot), 7),
            pipeline=PipelineKey("default", spec["name"]),
            generation=3,
            spec=json.dumps(spec).encode(),
            share=tuple(PartitionKey(source, PartitionId(name)) for name in partitions),
            patient=patient,
        )
        self.discretion = Discretion()
        self.hosted = Hosted(self.begun, EVERYTHING, SystemClock(), random.Random(1), self.discretion)
        self.committed: dict[PartitionKey, Checkpoint] = {}
        self.found: list[list[str]] = []
        self.refusal: Refusal | None = None
        self.crash: Exception | None = None

    async def run(self) -> Outcome:
        async with asyncio.timeout(60):
            return await self.hosted.run(self.commit, self.on_found)

    def commit(self, checkpoints: Committed) -> asyncio.Future[Refusal | None]:
        if self.crash:
            raise self.crash
        if self.refusal is None:
            self.committed.update(checkpoints)
        answer: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        answer.set_result(self.refusal)
        return answer

    def on_found(self, partitions: tuple[PartitionKey, ...]) -> None:
        self.found.append([key.partition for key in partitions])


def pipeline(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    retry = {"initial": "1ms", "max": "1ms"}
    return {"name": "p", "source": source, "sink": {"type": "drop"}, "retry": retry, **more}


def generated(count: int | None) -> dict[str, Any]:
    return pipeline({"type": "generate", "config": {"count": count}}, checkpoint={"interval": "5ms"})


def read_from(path: Path, **more: Any) -> dict[str, Any]:
    return pipeline({"type": "file", "config": {"path": str(path), **more}})


async def test_a_run_ends_when_its_share_is_read_and_has_committed_all_of_it() -> None:
    node = Node(generated(1000), "generate")
    assert await node.run() == Ended(node.begun.run)
    ((key, checkpoint),) = node.committed.items()
    assert key == PartitionKey("generate", PartitionId("generate"))
    assert checkpoint.generation == 3
    assert node.hosted.progress().read == 1000
    assert node.hosted.progress().state == "done"


async def test_a_run_reads_its_share_and_nothing_else(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text('{"n":1}\n' * 10)
    node = Node(read_from(tmp_path / "*"), str(tmp_path / "b"))
    assert await node.run() == Ended(node.begun.run)
    assert [key.partition for key in node.committed] == [str(tmp_path / "b")]
    assert node.hosted.progress().read == 10


async def test_a_run_without_a_share_has_ended_at_once() -> None:
    node = Node(generated(None))
    assert await node.run() == Ended(node.begun.run)


async def test_a_run_that_is_stopped_is_released() -> None:
    node = Node(generated(None), "generate")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(node.run())
        await until(lambda: node.hosted.progress().read > 0)
        node.hosted.stop.set()
        assert await running == Released(node.begun.run)
    assert node.committed


async def test_a_run_that_is_stopped_before_it_has_begun_is_released() -> None:
    node = Node(generated(None), "generate")
    node.hosted.stop.set()
    assert await node.run() == Released(node.begun.run)
    assert node.hosted.progress().state == "stopped"
    assert not node.committed


async def test_a_refused_commit_ends_the_run_and_not_the_pipeline() -> None:
    node = Node(generated(None), "generate")
    node.refusal = "fenced"
    with structlog.testing.capture_logs() as logs:
        assert await node.run() == Released(node.begun.run)
    assert ("task_fenced", "checkpoint.fenced") in [(entry["event"], entry.get("code")) for entry in logs]


async def test_a_run_that_has_to_begin_anew_is_released_so_that_it_gets_an_epoch_of_its_own() -> None:
    node = Node(generated(None), "generate")
    node.crash = RestartError("sink.kafka.transaction_lost")
    with structlog.testing.capture_logs() as logs:
        assert await node.run() == Released(node.begun.run)
    assert "task_restarts" in [entry["event"] for entry in logs]


async def test_what_nobody_foresaw_is_logged_with_its_stack_and_told_without() -> None:
    node = Node(generated(None), "generate")
    node.crash = ZeroDivisionError("the password is hunter2")
    with structlog.testing.capture_logs() as logs:
        outcome = await node.run()
    assert isinstance(outcome, Failed)
    assert outcome.error.code == "worker.crashed_task"
    assert "ZeroDivisionError" in outcome.error.message
    assert "hunter2" not in repr(outcome)
    (entry,) = (entry for entry in logs if entry["event"] == "task_crashed")
    assert entry["exc_info"].__traceback__ is not None


async def test_a_connector_that_can_not_tell_its_lag_moves_records_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lag(_: GenerateReader) -> Lag:
        raise KeyError("lag")

    monkeypatch.setattr(GenerateReader, "lag", lag)
    node = Node(generated(None), "generate")
    with structlog.testing.capture_logs() as logs:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(node.run())
            await until(lambda: node.hosted.progress().read > 0)
            node.hosted.progress()
            node.hosted.stop.set()
            assert await running == Released(node.begun.run)
    assert [entry["event"] for entry in logs] == ["progress_unreadable"]
    assert node.committed


async def test_a_specification_with_several_mistakes_tells_the_first_and_how_many_more() -> None:
    node = Node({**generated(None), "name": "Not A Name", "colour": 1}, "generate")
    outcome = await node.run()
    assert isinstance(outcome, Failed)
    assert outcome.error.code.startswith("config.")
    assert outcome.error.message.endswith("(and 1 more)")


async def test_a_new_version_fails_where_something_can_not_be_reached(tmp_path: Path) -> None:
    node = Node(read_from(tmp_path / "later"), str(tmp_path / "later"))
    outcome = await node.run()
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.error.path) == ("source.file.not_found", "$.source")


async def test_a_patient_run_waits_for_what_is_away(tmp_path: Path) -> None:
    node = Node(read_from(tmp_path / "later"), str(tmp_path / "later"), patient=True)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(node.run())
        await until(lambda: node.hosted.progress().state == "retrying")
        assert "source.file.not_found" in (node.hosted.progress().last_error or "")
        (tmp_path / "later").write_text('{"n":1}\n')
        assert await running == Ended(node.begun.run)
    assert node.hosted.progress().read == 1


async def test_a_patient_run_that_waits_can_be_stopped(tmp_path: Path) -> None:
    node = Node(read_from(tmp_path / "never"), str(tmp_path / "never"), patient=True)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(node.run())
        await until(lambda: node.hosted.progress().state == "retrying")
        node.hosted.stop.set()
        assert await running == Released(node.begun.run)


async def test_what_is_wrong_for_good_fails_a_patient_run_too() -> None:
    node = Node(pipeline({"type": "generate"}, sink={"type": "unknown"}), "generate", patient=True)
    assert isinstance(await node.run(), Failed)


async def test_discovery_tells_what_there_is_and_what_changes(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    (tmp_path / "a").touch()
    node = Node(read_from(tmp_path / "*"), slot=DISCOVERY)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(node.run())
        await until(lambda: len(node.found) == 1)
        (tmp_path / "c").touch()
        await until(lambda: len(node.found) == 2)
        node.hosted.stop.set()
        assert await running == Released(node.begun.run)
    a, b, c = (str(tmp_path / name) for name in "abc")
    assert node.found == [[a, b], [a, b, c]]
    assert not node.committed


async def test_discovery_waits_for_a_source_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    node = Node(read_from(tmp_path / "*"), slot=DISCOVERY)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(node.run())
        await until(lambda: len(node.found) == 1)
        (tmp_path / "a").unlink()
        await until(lambda: node.hosted.progress().state == "retrying")
        (tmp_path / "b").touch()
        await until(lambda: len(node.found) == 2)
        assert node.hosted.progress().state == "running"
        node.hosted.stop.set()
        await running


async def test_discovery_fails_where_there_is_more_than_a_job_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_PARTITIONS", 2)
    for name in "abc":
        (tmp_path / name).touch()
    node = Node(read_from(tmp_path / "*"), slot=DISCOVERY)
    outcome = await node.run()
    assert isinstance(outcome, Failed)
    assert outcome.error.code == "cluster.too_many_partitions"
    assert "3 partitions, and 2 are allowed" in outcome.error.message
    assert outcome.error.hint is not None
    assert not node.found


async def test_discovery_of_a_new_version_fails_where_nothing_is_found(tmp_path: Path) -> None:
    node = Node(read_from(tmp_path / "*"), slot=DISCOVERY)
    outcome = await node.run()
    assert isinstance(outcome, Failed)
    assert outcome.error.code == "source.file.not_found"
