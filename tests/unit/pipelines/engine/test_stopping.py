"""A run that is told to stop: it ends within half a minute, whoever is away, and loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, spec, values
from tests.waiting import until
from wire.core.errors import RetryableError
from wire.core.ports import ReadLimit
from wire.core.records import Batch, Checkpoint, PartitionId, PartitionKey, Position
from wire.core.units import Duration
from wire.pipelines.engine.checkpoints import CheckpointStore
from wire.pipelines.engine.patience import within
from wire.pipelines.engine.progress import Progress
from wire.pipelines.spec import BatchSpec, PipelineSpec
from wire.testing.faults import Hang, Raise
from wire.testing.memory import MemoryReader, MemorySink, MemorySource, MemoryTransactionalSink

AWAY = RetryableError("sink.away", "away")
FULL = RetryableError("checkpoint.disk_full", "no room")


class Store:
    """A store whose commits fail or dawdle."""

    def __init__(self, store: CheckpointStore, *, full: bool = False, takes_s: float = 0) -> None:
        self._store = store
        self._full = full
        self._takes_s = takes_s

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def commit(self, epoch: int, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        if self._full:
            raise FULL
        await self._store.commit(epoch, checkpoints)
        await asyncio.sleep(self._takes_s)


def slowly(spec: PipelineSpec, **changes: object) -> PipelineSpec:
    """Return the pipeline with waits long enough to see who waits."""
    checkpoint = msgspec.structs.replace(spec.checkpoint, interval=Duration(100))
    retry = msgspec.structs.replace(spec.retry, initial=Duration(1000), max=Duration(5000))
    return msgspec.structs.replace(spec, checkpoint=checkpoint, retry=retry, **changes)


async def stopped(engine: Engine, after_s: float = 1.0) -> float:
    """Run, stop after that time, and return how long it took to end."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(engine.run(stop))
        await asyncio.sleep(after_s)
        assert not running.done()
        stop.set()
        before = loop.time()
    return loop.time() - before


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("kind", [MemorySink, MemoryTransactionalSink])
@in_virtual_time
async def test_a_sink_that_is_away_is_given_up_on(
    tmp_path: Path, bounded: bool, kind: type[MemorySink | MemoryTransactionalSink]
) -> None:
    source, sink = MemorySource({"p": values(9)}, bounded=bounded), kind(script=[None, *[Raise(AWAY)] * 10**6])
    engine = Engine(tmp_path, source, sink, pipeline=slowly(spec()), clock=LoopClock())
    assert await stopped(engine) <= 31
    assert (engine.progress.state, engine.progress.pending > 0) == ("stopped", True)
    engine.parts.sinks[0].sink.writes.now(*[None] * 20)  # type: ignore[attr-defined]
    source.bounded = True
    await engine.run()
    assert list(dict.fromkeys(sink.values())) == values(9)


def with_store(folder: Path, **faults: Any) -> tuple[MemorySource, Engine]:
    """An engine whose checkpoints go into a store with these faults."""
    source = MemorySource({"p": values(9)}, bounded=False)
    faulty: Any = functools.partial(Store, **faults)
    return source, Engine(folder, source, MemorySink(), pipeline=slowly(spec()), clock=LoopClock(), wrap_store=faulty)


@in_virtual_time
async def test_a_state_folder_without_room_does_not_hold_up_the_end(tmp_path: Path) -> None:
    source, engine = with_store(tmp_path, full=True)
    assert await stopped(engine, after_s=0.01) <= 31
    assert source.released == []


@in_virtual_time
async def test_a_commit_that_outlasts_the_patience_is_not_made_again(tmp_path: Path) -> None:
    _, engine = with_store(tmp_path, takes_s=3600)
    assert await stopped(engine, after_s=0.01) <= 31
    assert engine.progress.state == "stopped"


@in_virtual_time
async def test_what_waits_for_company_is_written_at_once(tmp_path: Path) -> None:
    patient = slowly(spec(), batch=BatchSpec(max_records=100, max_wait=Duration(600_000), adaptive=False))
    source, sink = MemorySource({"p": values(3)}, bounded=False), MemorySink()
    assert await stopped(Engine(tmp_path, source, sink, pipeline=patient, clock=LoopClock())) < 1
    assert sink.values() == values(3)
    assert source.pruned("p") == 3


@in_virtual_time
async def test_a_stop_at_the_very_moment_a_reader_closes_lets_it_finish(tmp_path: Path) -> None:
    closed: list[float] = []

    class Dawdler(MemoryReader):
        async def close(self) -> None:
            await asyncio.sleep(5)
            closed.append(asyncio.get_running_loop().time())

    class Source(MemorySource):
        async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
            return Dawdler(self, partition, int(resume or 0))

        async def close(self) -> None:
            assert closed

    engine = Engine(tmp_path, Source({"p": values(3)}), MemorySink(), pipeline=slowly(spec()), clock=LoopClock())
    assert await stopped(engine) <= 5
    assert len(closed) == 1


@in_virtual_time
async def test_the_source_is_told_of_the_last_checkpoint_however_long_that_takes_it(tmp_path: Path) -> None:
    class Dawdler(MemoryReader):
        async def release(self, upto: Position) -> None:
            await asyncio.sleep(3)
            await super().release(upto)

    class Source(MemorySource):
        async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
            return Dawdler(self, partition, int(resume or 0))

    source = Source({"p": values(3)}, bounded=False)
    engine = Engine(tmp_path, source, MemorySink(), pipeline=slowly(spec()), clock=LoopClock())
    await stopped(engine)
    assert source.pruned("p") == 3


@in_virtual_time
async def test_while_it_opens_nothing_waits_for_who_is_away(tmp_path: Path) -> None:
    sink = MemorySink(on_open=[Raise(AWAY)] * 10**6)
    engine = Engine(tmp_path, MemorySource({"p": values(3)}), sink, pipeline=slowly(spec()), clock=LoopClock())
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(within(stop, 0, engine.run(asyncio.Event())))
        await asyncio.sleep(100)
        stop.set()
        before = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - before < 1


@pytest.mark.timeout(20)
async def test_a_source_that_never_waits_leaves_room_for_everything_else(tmp_path: Path) -> None:
    class Endless(MemoryReader):
        async def read(self, limit: ReadLimit) -> Batch | None:
            source.reads += 1
            if source.reads > 10**6:
                return None
            return Batch(self._partition, Position(b"%d" % source.reads), [])

    class Source(MemorySource):
        reads = 0

        async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
            return Endless(self, partition, 0)

    source = Source({"p": [], "q": []}, bounded=False)
    engine = Engine(tmp_path, source, MemorySink())
    async with engine.running():
        await until(lambda: source.reads > 10**4)
    assert source.reads < 10**6


async def test_a_cancelled_run_leaves_no_task_and_no_complaint_behind(tmp_path: Path) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    for stop_at in range(0, 60, 3):
        sink = MemoryTransactionalSink(script=[None, Raise(AWAY), Hang(asyncio.Event())])
        engine = Engine(tmp_path / str(stop_at), MemorySource({"p": values(20), "q": values(20)}), sink)
        running = asyncio.get_running_loop().create_task(engine.run())
        for _ in range(stop_at):
            await asyncio.sleep(0)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert len(asyncio.all_tasks()) == 1
    gc.collect()
    assert complaints == []


async def test_a_stop_before_the_start_reads_nothing(tmp_path: Path) -> None:
    stop = asyncio.Event()
    stop.set()
    progress: Progress = await Engine(tmp_path, MemorySource({"p": values(3)}), MemorySink()).run(stop)
    assert (progress.state, progress.pending) == ("stopped", 0)
