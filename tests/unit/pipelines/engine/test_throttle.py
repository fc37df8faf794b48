"""Rates: of a pipeline, of what is read, of what is written to one sink."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, spec, values
from wire.core.errors import RetryableError
from wire.core.units import Rate
from wire.pipelines.spec import SinkSpec
from wire.testing.faults import Raise
from wire.testing.memory import MemorySink, MemorySource


def engine_of(tmp_path: Path, sink: MemorySink, where: str, rate: str, *, records: int = 10) -> Engine:
    limit = Rate.parse(rate)
    return Engine(
        tmp_path,
        MemorySource({"p": values(500), "q": values(500, "q")}),
        sink,
        pipeline=msgspec.structs.replace(spec(records=records), rate_limit=limit if where == "pipeline" else None),
        clock=LoopClock(),
        feeds=[SinkSpec(type="memory", rate_limit=limit if where == "sink" else None)],
        limit=limit if where == "source" else None,
    )


@pytest.mark.parametrize("where", ["pipeline", "source", "sink"])
def test_no_more_passes_than_the_rate_and_a_second_of_it(tmp_path: Path, where: str) -> None:
    @in_virtual_time
    async def run() -> None:
        sink = MemorySink()
        engine = engine_of(tmp_path, sink, where, "100/s")
        progress = await engine.run()
        assert sorted(v or b"" for v in sink.values()) == sorted([*values(500), *values(500, "q")])
        assert 8.9 <= asyncio.get_running_loop().time() <= 10.1
        held_up = progress.sinks[0].held_up_s if where == "sink" else progress.sources[0].held_up_s
        assert held_up > 1

    run()


@pytest.mark.parametrize("where", ["pipeline", "source", "sink"])
def test_bytes_have_a_rate_too(tmp_path: Path, where: str) -> None:
    @in_virtual_time
    async def run() -> None:
        sink = MemorySink()
        await engine_of(tmp_path, sink, where, "1000/s, 200B/s").run()
        size = sum(len(value or b"") for value in sink.values())
        assert size / 200 - 1.1 <= asyncio.get_running_loop().time() <= size / 200 + 0.1

    run()


@in_virtual_time
async def test_no_batch_is_larger_than_what_passes_in_a_second(tmp_path: Path) -> None:
    sink = MemorySink()
    await engine_of(tmp_path, sink, "sink", "20/s", records=100).run()
    assert max(len(batch.records) for batch in sink.batches()) <= 20


@in_virtual_time
async def test_what_is_written_again_counts_again(tmp_path: Path) -> None:
    sink = MemorySink(script=[Raise(RetryableError("sink.away"))] * 20)
    await engine_of(tmp_path, sink, "sink", "100/s", records=100).run()
    assert asyncio.get_running_loop().time() > 10.5


@in_virtual_time
async def test_each_task_has_its_part_of_the_rate(tmp_path: Path) -> None:
    sink = MemorySink()
    engine = engine_of(tmp_path, sink, "pipeline", "100/s")
    object.__setattr__(engine.parts, "tasks", 4)
    await engine.run()
    assert asyncio.get_running_loop().time() > 38
