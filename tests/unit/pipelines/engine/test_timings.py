"""How long writes and deliveries take, and how late a source is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, PassStage, spec, values
from tests.waiting import until
from wire.core.clock import Clock, SystemClock
from wire.core.errors import RecordError, RetryableError
from wire.core.ports import Lag
from wire.core.records import Batch, PartitionId, Position
from wire.core.units import Duration
from wire.pipelines.spec import BatchSpec
from wire.pipelines.stage import StageResult
from wire.testing.faults import Delay, Raise, Reject
from wire.testing.memory import MemoryReader, MemorySink, MemorySource, MemoryTransactionalSink

RETRYABLE = RetryableError("memory.scripted", "not now")
MISFIT = RecordError("sink.misfit", "it does not fit")


async def test_a_write_and_its_delivery_are_timed_once_however_many_records_there_are(tmp_path: Path) -> None:
    sink = MemorySink()
    progress = await Engine(tmp_path, MemorySource({"p": values(90)}), sink, pipeline=spec(records=10)).run()
    (out,) = progress.sinks
    assert out.writes.count == out.deliveries.count
    assert 9 <= out.writes.count <= 90
    assert out.written == 90


async def test_what_failed_counts_when_it_is_delivered(tmp_path: Path) -> None:
    sink = MemorySink(script=[Raise(RETRYABLE), Raise(RETRYABLE)])
    progress = await Engine(tmp_path, MemorySource({"p": values(3)}), sink).run()
    (out,) = progress.sinks
    assert out.retried == 6
    assert out.writes.count == out.deliveries.count == 1
    assert out.deliveries.sum_s > out.writes.sum_s


async def test_what_is_in_a_transaction_is_delivered_when_that_is_committed(tmp_path: Path) -> None:
    source = MemorySource({"p": values(30)})
    progress = await Engine(tmp_path, source, MemoryTransactionalSink(), pipeline=spec(records=10)).run()
    (out,) = progress.sinks
    assert 1 <= out.deliveries.count <= progress.checkpoints
    assert out.deliveries.count < out.writes.count


class Asking(PassStage):
    """Waits for an answer for 50 s for partition `p`, for 40 s for any other."""

    waits = True

    def __init__(self, clock: Clock) -> None:
        super().__init__(1)
        self.clock = clock

    async def run_waiting(self, batch: Batch) -> StageResult:
        await self.clock.sleep(50 if batch.partition == "p" else 40)
        return self.run(batch)


@in_virtual_time
async def test_a_delivery_begins_at_the_read_however_long_a_transform_waits(tmp_path: Path) -> None:
    clock = LoopClock()
    source = MemorySource({"p": values(1)})
    progress = await Engine(tmp_path, source, MemorySink(), stage=Asking(clock), clock=clock).run()
    assert progress.sinks[0].deliveries.sum_s == pytest.approx(50, abs=1)


@in_virtual_time
async def test_a_write_is_as_late_as_the_batch_in_it_that_was_read_first(tmp_path: Path) -> None:
    clock = LoopClock()
    gathered = msgspec.structs.replace(spec(), batch=BatchSpec(max_wait=Duration(20_000), adaptive=False))
    source = MemorySource({"p": values(1), "q": values(1)}, bounded=False)
    engine = Engine(tmp_path, source, MemorySink(), pipeline=gathered, stage=Asking(clock), clock=clock)
    async with engine.running():
        await until(lambda: engine.progress.written == 2, deadline_s=300)
    (out,) = engine.progress.sinks
    assert (out.writes.count, out.deliveries.count) == (1, 1)
    assert out.deliveries.sum_s == pytest.approx(60, abs=1)


@in_virtual_time
async def test_what_is_read_while_the_sink_takes_nothing_is_as_late_as_that(tmp_path: Path) -> None:
    clock = LoopClock()
    sink = MemorySink(script=[Delay(100)], clock=clock)
    progress = await Engine(tmp_path, MemorySource({"p": values(36)}), sink, clock=clock).run()  # of 32 it is full
    (out,) = progress.sinks
    assert progress.written == 36
    assert out.deliveries.counts[-1] == out.deliveries.count > 1


@pytest.mark.parametrize("sink", [MemorySink, MemoryTransactionalSink])
@in_virtual_time
async def test_records_that_were_refused_do_not_make_later_ones_late(
    sink: type[MemorySink | MemoryTransactionalSink], tmp_path: Path
) -> None:
    clock = LoopClock()
    source = MemorySource({"p": values(1)}, bounded=False)
    made = sink(script=[Reject({b"r0": MISFIT})], clock=clock)
    engine = Engine(tmp_path, source, made, pipeline=spec("skip"), clock=clock)
    async with engine.running():
        await until(lambda: source.pruned("p") == 1)
        await clock.sleep(100)
        await source.append("p", b"r1")
        await until(lambda: source.pruned("p") == 2)
    (out,) = engine.progress.sinks
    assert (out.written, out.deliveries.count) == (1, 1)
    assert out.deliveries.sum_s < 1


class LateSource(MemorySource):
    """Its partitions say of themselves what a test wants."""

    lags: dict[str, Lag]

    async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
        reader = await super().open(partition, resume)
        reader.lag = lambda: self.lags[partition]  # type: ignore[method-assign]
        return reader


NOW_MS = 1_800_000_000_000
LATE = Lag(records=7, event_ms=NOW_MS - 5000)
CASES: list[tuple[tuple[Lag, Lag], float | None]] = [
    ((LATE, Lag(records=1, event_ms=NOW_MS - 2000)), 5.0),
    ((LATE, Lag(records=0, event_ms=NOW_MS - 90_000)), 5.0),
    ((Lag(records=0, event_ms=NOW_MS - 90_000), Lag(records=0)), 0.0),
    ((Lag(event_ms=NOW_MS - 1500), Lag()), 1.5),
    ((Lag(records=3), Lag(bytes=9)), None),
    ((Lag(records=3, event_ms=NOW_MS + 9000), Lag()), 0.0),
]


class Now(SystemClock):
    def now_ms(self) -> int:
        return NOW_MS


@pytest.mark.parametrize(("lags", "late_s"), CASES)
async def test_a_source_is_as_late_as_the_latest_of_its_partitions(
    lags: tuple[Lag, Lag], late_s: float | None, tmp_path: Path
) -> None:
    source = LateSource({"p": values(1), "q": values(1)}, bounded=False)
    source.lags = {"p": lags[0], "q": lags[1]}
    engine = Engine(tmp_path, source, MemorySink(), clock=Now())
    async with engine.running():
        await until(lambda: engine.update().read == 2)
        assert engine.update().sources[0].lag_s == late_s
