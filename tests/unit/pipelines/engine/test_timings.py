"""How long writes and deliveries take, and how late a source is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.pipelines.engine.kit import Engine, spec, values
from tests.waiting import until
from wire.core.clock import SystemClock
from wire.core.errors import RetryableError
from wire.core.ports import Lag
from wire.core.records import PartitionId, Position
from wire.testing.faults import Raise
from wire.testing.memory import MemoryReader, MemorySink, MemorySource, MemoryTransactionalSink

RETRYABLE = RetryableError("memory.scripted", "not now")


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
