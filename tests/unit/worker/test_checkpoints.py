"""The cluster's checkpoints as the engine sees them."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from tests.sim.loop import in_virtual_time
from wire.cluster.state import JobId, PipelineKey, TaskKey
from wire.core.errors import FencedError
from wire.core.records import Checkpoint, Fingerprint, PartitionId, PartitionKey, Position
from wire.worker.checkpoints import ClusterCheckpoints
from wire.worker.protocol import Begin, Refusal, Run

KEY = PartitionKey("in", PartitionId("p"))
CHECKPOINT = Checkpoint(generation=2, seq=5, position=Position(b"x"), source=Fingerprint(b"f"))
BEGUN = Begin(
    run=Run(TaskKey(JobId("j"), 0), 9),
    pipeline=PipelineKey("default", "p"),
    generation=2,
    spec=b"",
    checkpoints=((KEY, CHECKPOINT),),
)


class Cluster:
    """Takes commits, and answers when the test does."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.answer: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self.store = ClusterCheckpoints(BEGUN, self.commit)

    def commit(self, checkpoints: object) -> asyncio.Future[Refusal | None]:
        self.asked.append(checkpoints)
        return self.answer


async def test_a_run_goes_on_from_what_it_was_given() -> None:
    store = Cluster().store
    assert await store.begin() == 9
    assert await store.generation() == 2
    assert await store.load() == {KEY: CHECKPOINT}


@pytest.mark.parametrize("refusal", ["fenced", "moved_back"])
async def test_a_refusal_ends_the_run(refusal: Refusal) -> None:
    cluster = Cluster()
    cluster.answer.set_result(refusal)
    with pytest.raises(FencedError):
        await cluster.store.commit(9, {KEY: CHECKPOINT})


@in_virtual_time
async def test_a_commit_waits_for_a_cluster_without_a_leader_and_says_so() -> None:
    cluster = Cluster()
    asyncio.get_running_loop().call_later(3600, cluster.answer.set_result, None)
    with structlog.testing.capture_logs() as logs:
        await cluster.store.commit(9, {KEY: CHECKPOINT})
    assert cluster.asked == [((KEY, CHECKPOINT),)]
    assert {entry["event"] for entry in logs} == {"commit_waits"}
    assert 100 < len(logs) < 130


async def test_a_commit_that_is_cancelled_wants_no_answer_any_more() -> None:
    cluster = Cluster()
    async with asyncio.TaskGroup() as tasks:
        commit = tasks.create_task(cluster.store.commit(9, {KEY: CHECKPOINT}))
        await asyncio.sleep(0)
        commit.cancel()
    assert cluster.answer.cancelled()
