"""How batches become writes: what is gathered, split, held back and tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, PassStage, spec, values
from tests.waiting import until
from wire.core.errors import RecordError, RetryableError
from wire.core.ports import Failure, ReadLimit, TaskId
from wire.core.records import Batch, Checkpoint, PartitionId, Position, Record
from wire.core.units import Duration, Size
from wire.pipelines.engine.assembly import SourcePart
from wire.pipelines.spec import BatchSpec, PipelineSpec
from wire.pipelines.stage import StageResult
from wire.testing.faults import Delay, Hang, Reject
from wire.testing.memory import MemoryReader, MemorySink, MemorySource, MemoryWriter

BUSY = RetryableError("sink.busy", "busy")


def with_batch(**batch: object) -> PipelineSpec:
    return msgspec.structs.replace(spec("skip"), batch=BatchSpec(**batch))  # type: ignore[arg-type]


class Picky(MemorySink):
    """Takes no write that `refuses` says is too much."""

    def __init__(self, too_much: Callable[[Sequence[Batch]], bool]) -> None:
        super().__init__()
        self.too_much = too_much

    async def open(self, task: TaskId, epoch: int, recover: dict[PartitionId, Checkpoint]) -> MemoryWriter:  # type: ignore[override]
        await super().open(task, epoch, recover)
        return PickyWriter(self)


class PickyWriter(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        assert isinstance(self._sink, Picky)
        if self._sink.too_much(batches):
            raise BUSY
        return await super().write(batches)


def count(batches: Sequence[Batch]) -> int:
    return sum(len(batch.records) for batch in batches)


@in_virtual_time
async def test_a_sink_that_can_not_take_so_much_at_once_is_given_less(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(900)}), Picky(lambda batches: count(batches) > 50)
    async with asyncio.timeout(3600):
        progress = await Engine(tmp_path, source, sink, pipeline=with_batch(max_records=300), clock=LoopClock()).run()
    assert sink.values() == values(900)
    assert (progress.written, progress.pending) == (900, 0)


@in_virtual_time
async def test_a_part_of_a_write_that_is_tried_again_is_split_as_well(tmp_path: Path) -> None:
    refused = Reject(dict.fromkeys(list(values(300))[100:], BUSY))
    source, sink = MemorySource({"p": values(300)}), MemorySink(script=[refused])
    await Engine(tmp_path, source, sink, pipeline=with_batch(max_records=300), clock=LoopClock()).run()
    assert sink.values() == values(300)
    assert max(len(batch.records) for batch in sink.batches()[1:]) == 150


class Amplifier(PassStage):
    """Makes each record a kilobyte."""

    def run(self, batch: Batch) -> StageResult:
        records = [Record(b"x" * 1024, r.key, r.ts_ms, r.headers, r.offset) for r in batch.records]
        return StageResult([Batch(batch.partition, batch.position, records)], 0, [])


@in_virtual_time
async def test_what_transforms_blow_up_is_split_at_the_byte_ceiling(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(100)}), Picky(lambda batches: count(batches) > 10)
    pipeline = with_batch(max_records=100, max_bytes=Size(10 * 1024))
    engine = Engine(tmp_path, source, sink, pipeline=pipeline, clock=LoopClock())
    engine.parts.sources[0] = amplified(engine)  # type: ignore[index]
    progress = await engine.run()
    assert (progress.written, progress.sinks[0].retried) == (100, 0)


def amplified(engine: Engine) -> SourcePart:
    part = engine.parts.sources[0]
    return SourcePart(part.name, part.type, part.path, part.source, lambda: Amplifier(1), bounded=True)


async def test_what_transforms_blow_up_counts_as_memory(tmp_path: Path) -> None:
    gate = asyncio.Event()
    source, sink = MemorySource({"p": values(10_000)}), MemorySink(script=[Hang(gate)])
    pipeline = with_batch(max_records=1000, max_bytes=Size(64 * 1024))
    engine = Engine(tmp_path, source, sink, pipeline=pipeline)
    engine.parts.sources[0] = amplified(engine)  # type: ignore[index]
    async with engine.running():
        await until(lambda: sink.in_flight == 1)
        for _ in range(100):
            await asyncio.sleep(0)
        assert engine.progress.read * 1024 <= 8 * 64 * 1024 + 1000 * 1024
        gate.set()


@in_virtual_time
async def test_nobody_waits_for_company_that_can_not_come(tmp_path: Path) -> None:
    rows = [b"skip"] * 19 + [b"r"]
    source, sink = MemorySource({"p": rows * 100}), MemorySink()
    patient = with_batch(max_records=100, max_wait=Duration(600_000), adaptive=False)
    await Engine(tmp_path, source, sink, pipeline=patient, clock=LoopClock()).run()
    assert len(sink.values()) == 100
    assert asyncio.get_running_loop().time() < 1


@in_virtual_time
async def test_the_first_write_sets_the_latency_and_later_ones_move_it(tmp_path: Path) -> None:
    clock = LoopClock()
    source, sink = MemorySource({"p": values(2)}), MemorySink(script=[Delay(2), Delay(1)], clock=clock)
    progress = await Engine(tmp_path, source, sink, pipeline=with_batch(max_records=1), clock=clock).run()
    assert progress.sinks[0].latency_ms == pytest.approx(1900)


@in_virtual_time
async def test_a_partial_retry_waits_as_long_as_any_record_asks_for(tmp_path: Path) -> None:
    slow = RetryableError("sink.busy", "busy", after_s=40)
    sink = MemorySink(script=[Reject({b"r0": BUSY, b"r1": slow, b"r2": RecordError("sink.poison")})])
    progress = await Engine(
        tmp_path, MemorySource({"p": values(4)}), sink, pipeline=spec("skip"), clock=LoopClock()
    ).run()
    assert asyncio.get_running_loop().time() >= 40
    assert sink.values() == [b"r3", b"r0", b"r1"]
    assert (progress.written, progress.skipped, progress.sinks[0].retried) == (3, 1, 2)


class Shouting(PassStage):
    """Changes every value."""

    def run(self, batch: Batch) -> StageResult:
        records = [Record((r.value or b"").upper(), r.key, r.ts_ms, r.headers, r.offset) for r in batch.records]
        return StageResult([Batch(batch.partition, batch.position, records)], 0, [])


class TransactionReader(MemoryReader):
    """Gives all records one offset, and every other one the key of the one before it."""

    async def read(self, limit: ReadLimit) -> Batch | None:
        batch = await super().read(limit)
        for record in batch.records if batch else ():
            record.key, record.offset = b"key %d" % (record.offset // 2), 7
        return batch


class TransactionSource(MemorySource):
    async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
        return TransactionReader(self, partition, 0)


async def test_a_refused_record_is_told_from_others_of_its_offset_and_key(tmp_path: Path) -> None:
    refused = RecordError("sink.poison")
    sink, dead = MemorySink(script=[Reject({b"R1": refused, b"R2": refused})]), MemorySink()
    source = TransactionSource({"p": values(6)})
    engine = Engine(tmp_path, source, sink, pipeline=spec("dead_letter", records=6), dead_letter=dead)
    part = engine.parts.sources[0]
    engine.parts.sources[0] = SourcePart(  # type: ignore[index]
        part.name, part.type, part.path, part.source, lambda: Shouting(1), bounded=True
    )
    await engine.run()
    assert [record.value for record in dead.records()] == [b"r1", b"r2"]


async def test_many_partitions_share_what_may_be_held_in_hand(tmp_path: Path) -> None:
    limits: list[ReadLimit] = []

    class Reader(MemoryReader):
        async def read(self, limit: ReadLimit) -> Batch | None:
            limits.append(limit)
            return await super().read(limit)

    class Source(MemorySource):
        async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
            return Reader(self, partition, 0)

    gate = asyncio.Event()
    source, sink = Source({f"p{i}": values(300) for i in range(500)}), MemorySink(script=[Hang(gate)])
    async with Engine(tmp_path, source, sink, pipeline=with_batch(max_records=1000)).running() as running:
        await until(lambda: len(limits) > 500)
        assert sum(limit.max_records for limit in limits[-500:]) <= 80_000  # some have ended
        assert sum(limit.max_bytes for limit in limits[-500:]) <= 32 << 20
        gate.set()
        await until(running.done)
    assert len(sink.values()) == 150_000
