"""A sink that is down is shown to be, left alone for a while, and asked with one record whether it is back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, spec, values
from wire.core.errors import RecordError, RetryableError
from wire.core.units import Duration
from wire.pipelines.engine.breaker import Breaker
from wire.pipelines.engine.progress import Progress
from wire.pipelines.spec import BreakerSpec, PipelineSpec, RetrySpec, SinkSpec
from wire.testing.faults import Raise, Reject
from wire.testing.memory import MemorySink, MemorySource

AWAY = RetryableError("sink.away", "away")


def slowly(policy: str = "fail", *, records: int = 4) -> PipelineSpec:
    retry = RetrySpec(initial=Duration(1000), max=Duration(1000))
    return msgspec.structs.replace(spec(policy, records=records), retry=retry)


def feed(failures: int = 2, open_for_s: float | None = None) -> SinkSpec:
    pause = None if open_for_s is None else Duration(open_for_s * 1000)
    return SinkSpec(type="memory", breaker=BreakerSpec(failures=failures, open_for=pause))


async def seen(engine: Engine, *at_s: float) -> list[str]:
    """Run, and return what the breaker of the first sink is shown as at these times."""
    shown: list[str] = []

    async def look() -> None:
        for moment in at_s:
            await asyncio.sleep(moment - asyncio.get_running_loop().time())
            shown.append(engine.update().sinks[0].breaker)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(look())
        await engine.run()
    return shown


@in_virtual_time
async def test_it_opens_after_failures_in_a_row_and_stays_so_for_as_long_as_was_said(tmp_path: Path) -> None:
    sink = MemorySink(script=[Raise(AWAY), Raise(AWAY), Raise(AWAY)])
    source = MemorySource({"p": values(8)})
    engine = Engine(tmp_path, source, sink, pipeline=slowly(), clock=LoopClock(), feeds=[feed(2, open_for_s=30)])
    assert await seen(engine, 0.001, 20, 50, 59) == ["closed", "open", "open", "open"]
    # closed: the first failure and its pause of up to 1 s; open: 30 s; asked in vain: 30 s
    assert 60 <= asyncio.get_running_loop().time() <= 62
    assert sink.values() == values(8)
    progress = engine.progress.sinks[0]
    assert (progress.breaker, progress.breaker_opened, progress.written) == ("closed", 1, 8)


@in_virtual_time
async def test_whether_it_is_back_is_asked_with_one_record(tmp_path: Path) -> None:
    sink = MemorySink(script=[Raise(AWAY), Raise(AWAY)])
    engine = Engine(
        tmp_path, MemorySource({"p": values(8)}), sink, pipeline=slowly(), clock=LoopClock(), feeds=[feed(2)]
    )
    await engine.run()
    assert next(len(batch.records) for batch in sink.batches()) == 1
    assert sink.values() == values(8)


@in_virtual_time
async def test_without_a_time_the_pauses_are_those_of_the_backoff(tmp_path: Path) -> None:
    sink = MemorySink(script=[Raise(AWAY)] * 6)
    engine = Engine(
        tmp_path, MemorySource({"p": values(2)}), sink, pipeline=slowly(), clock=LoopClock(), feeds=[feed(1)]
    )
    await engine.run()
    assert asyncio.get_running_loop().time() <= 6


@in_virtual_time
async def test_a_sink_that_takes_some_of_it_is_not_down(tmp_path: Path) -> None:
    some = Reject({b"r0": AWAY})
    engine = Engine(
        tmp_path,
        MemorySource({"p": values(4)}),
        MemorySink(script=[some]),
        pipeline=slowly(),
        clock=LoopClock(),
        feeds=[feed(1)],
    )
    progress = await engine.run()
    assert (progress.sinks[0].breaker_opened, progress.written) == (0, 4)


@in_virtual_time
async def test_a_sink_that_refuses_records_for_good_is_there(tmp_path: Path) -> None:
    refused = Reject(dict.fromkeys(values(4), RecordError("sink.poison")))
    sink = MemorySink(script=[Raise(AWAY), refused, Raise(AWAY)])
    engine = Engine(
        tmp_path, MemorySource({"p": values(8)}), sink, pipeline=slowly("skip"), clock=LoopClock(), feeds=[feed(2)]
    )
    progress = await engine.run()
    assert (progress.sinks[0].breaker_opened, progress.written, progress.skipped) == (0, 4, 4)


@in_virtual_time
async def test_records_that_are_all_refused_for_now_count_as_a_failure(tmp_path: Path) -> None:
    busy = Reject(dict.fromkeys(values(4), AWAY))
    sink = MemorySink(script=[busy, busy])
    engine = Engine(
        tmp_path, MemorySource({"p": values(4)}), sink, pipeline=slowly(), clock=LoopClock(), feeds=[feed(2)]
    )
    progress: Progress = await engine.run()
    assert (progress.sinks[0].breaker_opened, progress.written) == (1, 4)


@pytest.mark.parametrize("answers", [["failed"], ["failed", "answered", "failed"]])
def test_failures_that_are_not_in_a_row_do_not_open_it(answers: list[str]) -> None:
    breaker = Breaker(BreakerSpec(failures=2), "out")
    for answer in answers:
        getattr(breaker, answer)()
    assert breaker.state == "closed"
