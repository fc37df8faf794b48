"""Sinks that write within transactions which keep the checkpoints: when they commit, and what counts at a start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, spec, values
from tests.waiting import until
from wire.core.errors import FatalError, RestartError
from wire.core.ports import TaskId
from wire.core.records import Checkpoint, PartitionId, PartitionKey, Position
from wire.core.units import Duration
from wire.pipelines.spec import CheckpointSpec, PipelineSpec
from wire.testing.memory import MemorySink, MemorySource, MemoryWriter

P = PartitionKey("in", PartitionId("p"))


class Transactions:
    """Notes what it is told; `away` makes the next commit fail."""

    def __init__(self, *, interval_s: float = 0.1, max_bytes: int = 1 << 20) -> None:
        self.interval_s = interval_s
        self.max_bytes = max_bytes
        self.rows: dict[PartitionKey, Checkpoint] = {}
        self.told: list[str] = []
        self.stored: list[Mapping[PartitionKey, Checkpoint]] = []
        self.commits: list[float] = []
        self.away = False

    async def recover(
        self, task: TaskId, epoch: int, stored: Mapping[PartitionKey, Checkpoint]
    ) -> Mapping[PartitionKey, Checkpoint]:
        self.told.append("recover")
        self.stored.append(dict(stored))
        return self.rows

    async def commit(self, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        if self.away:
            self.away = False
            raise RestartError("sink.lost", "lost")
        self.told.append("commit")
        self.commits.append(asyncio.get_running_loop().time())
        self.rows |= checkpoints

    async def close(self) -> None:
        self.told.append("close")


class Within(MemorySink):
    """A sink that writes within transactions."""

    transactions: Transactions

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> MemoryWriter:
        self.transactions.told.append("open")
        return await super().open(task, epoch, recover)


def within(transactions: Transactions) -> Within:
    sink = Within()
    sink.transactions = transactions
    return sink


def every(interval: int) -> PipelineSpec:
    return msgspec.structs.replace(spec(), checkpoint=CheckpointSpec(interval=Duration(interval)))


@in_virtual_time
async def test_they_recover_before_sinks_are_opened_and_commit_at_their_own_interval(tmp_path: Path) -> None:
    transactions = Transactions(interval_s=0.1)
    source = MemorySource({"p": values(3)}, bounded=False)
    engine = Engine(tmp_path, source, within(transactions), pipeline=every(60_000), clock=LoopClock())
    async with engine.running():
        await until(lambda: source.pruned("p") == 3)  # what they have committed may be released
        await source.append("p", *values(3, "s"))
        await until(lambda: source.pruned("p") == 6)
        assert engine.update().written == 6
    assert transactions.told == ["recover", "open", "commit", "commit", "close"]
    first, second = transactions.commits
    assert first < second < 1


@in_virtual_time
async def test_a_commit_comes_earlier_where_much_was_taken(tmp_path: Path) -> None:
    transactions = Transactions(interval_s=3600, max_bytes=10)
    source = MemorySource({"p": values(20)}, bounded=False)
    async with Engine(tmp_path, source, within(transactions), clock=LoopClock()).running():
        await until(lambda: source.pruned("p") >= 16)
        assert transactions.commits[-1] < 60


@in_virtual_time
async def test_the_store_is_told_at_the_checkpoints_interval_and_at_the_end(tmp_path: Path) -> None:
    transactions = Transactions()
    source = MemorySource({"p": values(3)}, bounded=False)
    engine = Engine(tmp_path, source, within(transactions), pipeline=every(60_000), clock=LoopClock())
    async with engine.running():
        await until(lambda: source.pruned("p") == 3)
    async with engine.running():
        await until(lambda: len(transactions.stored) == 2)
    assert transactions.stored == [{}, transactions.rows]


@in_virtual_time
async def test_what_they_have_counts_more_than_what_is_stored(tmp_path: Path) -> None:
    transactions = Transactions()
    source, sink = MemorySource({"p": values(6)}), within(transactions)
    transactions.rows[P] = Checkpoint(generation=0, seq=9, position=Position(b"4"), source=source.fingerprint())
    await Engine(tmp_path, source, sink, clock=LoopClock()).run()
    assert sink.values() == values(6)[4:]
    assert transactions.rows[P].seq == 10


@in_virtual_time
async def test_a_commit_that_is_lost_ends_the_run_and_nothing_is_released(tmp_path: Path) -> None:
    transactions = Transactions()
    source, sink = MemorySource({"p": values(6)}), within(transactions)
    engine = Engine(tmp_path, source, sink, clock=LoopClock())
    transactions.away = True
    with pytest.raises(RestartError):
        await engine.run()
    assert source.released == []
    await engine.run()
    assert source.pruned("p") == 6


async def test_sinks_can_not_write_in_several_transactions(tmp_path: Path) -> None:
    source = MemorySource({"p": values(1)})
    with pytest.raises(FatalError) as failure:
        await Engine(tmp_path, source, within(Transactions()), within(Transactions())).run()
    assert failure.value.code == "pipeline.several_transactions"


@in_virtual_time
async def test_nothing_is_committed_after_a_commit_whose_fate_is_not_known(tmp_path: Path) -> None:
    """The run is told to stop while a commit is under way, so that the last one waits for it; then it fails."""
    committing, fail = asyncio.Event(), asyncio.Event()

    class Failing(Transactions):
        async def commit(self, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
            if not committing.is_set():
                committing.set()
                await fail.wait()
                raise RestartError("sink.lost", "lost")
            await super().commit(checkpoints)

    transactions = Failing(interval_s=0.1)
    source, stop = MemorySource({"p": values(3)}, bounded=False), asyncio.Event()
    engine = Engine(tmp_path, source, within(transactions), pipeline=every(60_000), clock=LoopClock())

    async def stop_and_fail() -> None:
        await committing.wait()
        await source.append("p", *values(5))
        await asyncio.sleep(1)
        stop.set()
        await asyncio.sleep(1)
        fail.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stop_and_fail())
        with pytest.raises(RestartError):
            await engine.run(stop)
    assert "commit" not in transactions.told
