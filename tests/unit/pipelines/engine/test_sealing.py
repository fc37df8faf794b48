"""What a checkpoint of a transactional sink covers: what was read until then, while reading goes on (I2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, spec, values
from tests.waiting import until
from wire.core.errors import RecordError
from wire.core.ports import Failure, TaskId
from wire.core.records import Batch, Checkpoint, PartitionId
from wire.testing.faults import Hang
from wire.testing.memory import MemorySink, MemorySource, MemoryTransactionalSink, MemoryWriter


@in_virtual_time
async def test_reading_goes_on_while_a_commit_is_under_way_and_nothing_newer_is_written(tmp_path: Path) -> None:
    gate = asyncio.Event()
    source, sink = MemorySource({"p": values(3)}, bounded=False), MemoryTransactionalSink(commit_script=[Hang(gate)])
    engine = Engine(tmp_path, source, sink, clock=LoopClock())
    async with engine.running():
        await until(lambda: engine.update().read == 3)
        await until(lambda: engine.progress.sinks[0].queued == 0)
        await asyncio.sleep(1)  # the commit hangs by now
        await source.append("p", *values(3, "s"))
        await until(lambda: engine.update().read == 6)
        await asyncio.sleep(1)
        log = sink.log_of(sink.openings[0].task)
        assert [record.value for batch in log.log for record in batch.records] == values(3)
        gate.set()
        await until(lambda: source.pruned("p") == 6)
    assert sink.values() == [*values(3), *values(3, "s")]


@in_virtual_time
async def test_a_sink_that_is_not_transactional_goes_on_meanwhile(tmp_path: Path) -> None:
    gate = asyncio.Event()
    source, plain = MemorySource({"p": values(3)}, bounded=False), MemorySink()
    sink = MemoryTransactionalSink(commit_script=[Hang(gate)])
    async with Engine(tmp_path, source, sink, plain, clock=LoopClock()).running():
        await until(lambda: len(plain.values()) == 3)
        await asyncio.sleep(1)
        await source.append("p", *values(3, "s"))
        await until(lambda: len(plain.values()) == 6)
        gate.set()
    assert sink.values() == plain.values() == [*values(3), *values(3, "s")]


class Slow(MemorySink):
    """Refuses every record, once `gate` is open."""

    gate: asyncio.Event

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> MemoryWriter:
        await super().open(task, epoch, recover)
        return SlowWriter(self)


class SlowWriter(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        assert isinstance(self._sink, Slow)
        await self._sink.gate.wait()
        return await super().write(batches)


@in_virtual_time
async def test_a_commit_waits_for_the_dead_letters_of_a_batch_before_one_that_has_some_already(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": [b"r1"]}, bounded=False), Slow(refuse=lambda _: RecordError("sink.poison"))
    sink.gate = asyncio.Event()
    dead = MemoryTransactionalSink()
    pipeline = spec("dead_letter")
    engine = Engine(tmp_path, source, sink, pipeline=pipeline, dead_letter=dead, clock=LoopClock())
    async with engine.running():
        await until(lambda: engine.update().read == 1)
        await asyncio.sleep(1)  # it is being written
        await source.append("p", b"bad")
        await until(lambda: bool(dead.log_of(dead.openings[0].task).log))
        await asyncio.sleep(1)  # a commit waits
        assert dead.values() == []
        sink.gate.set()
        await until(lambda: source.pruned("p") == 2)
    assert dead.values() == [b"bad", b"r1"]
