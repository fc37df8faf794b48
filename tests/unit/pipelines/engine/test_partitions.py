"""Partitions that come later, sources that go away meanwhile, sources that can't have all of them open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, PassStage, spec, values
from wire.core.errors import UnavailableError
from wire.core.ports import ReadLimit
from wire.core.records import Batch, PartitionId, Position
from wire.core.units import Duration
from wire.pipelines.engine.assembly import SourcePart
from wire.pipelines.spec import CheckpointSpec
from wire.testing.memory import MemoryReader, MemorySink, MemorySource

SECOND = CheckpointSpec(interval=Duration(1000))


def following(folder: Path, *sources: MemorySource) -> tuple[Engine, MemorySink]:
    """Return an engine that reads sources which go on, and its sink."""
    sink = MemorySink()
    pipeline = msgspec.structs.replace(spec(), checkpoint=SECOND)
    engine = Engine(folder, sources[0], sink, pipeline=pipeline, clock=LoopClock())
    engine.parts.sources[:] = [  # type: ignore[index]
        SourcePart(f"in{i}", "memory", "$.source", source, lambda: PassStage(1), bounded=False)
        for i, source in enumerate(sources)
    ]
    return engine, sink


@in_virtual_time
async def test_a_partition_that_appears_is_read_from_its_start(tmp_path: Path) -> None:
    source = MemorySource({"p": values(3)}, bounded=False)
    engine, sink = following(tmp_path, source)
    async with engine.running():
        await asyncio.sleep(10)
        await source.append("q", *values(3, "q"))
        await asyncio.sleep(10)
        assert sink.values("q") == values(3, "q")
        assert engine.progress.sources[0].partitions == 2


@in_virtual_time
async def test_a_source_without_partitions_so_far_is_asked_again(tmp_path: Path) -> None:
    source = MemorySource({}, bounded=False)
    engine, sink = following(tmp_path, source)
    async with engine.running():
        await asyncio.sleep(60)
        await source.append("p", *values(3))
        await asyncio.sleep(10)
        assert sink.values() == values(3)


@in_virtual_time
async def test_a_source_that_goes_away_between_two_looks_is_waited_for(tmp_path: Path) -> None:
    class Source(MemorySource):
        looks = 0

        async def partitions(self) -> Sequence[PartitionId]:
            self.looks += 1
            if 1 < self.looks < 5:
                raise UnavailableError("source.away", "away")
            return await super().partitions()

    source = Source({"p": values(3)}, bounded=False)
    engine, sink = following(tmp_path, source)
    async with engine.running():
        await asyncio.sleep(2.001)
        assert engine.update().state == "retrying"
        await source.append("q", *values(3, "q"))
        await asyncio.sleep(60)
        assert engine.update().state == "running"
        assert sink.values("q") == values(3, "q")


@in_virtual_time
async def test_a_source_never_has_more_readers_open_than_it_can_have(tmp_path: Path) -> None:
    open_now: list[int] = [0]
    peak: list[int] = []

    class Reader(MemoryReader):
        async def read(self, limit: ReadLimit) -> Batch | None:
            await asyncio.sleep(0.01)
            return await super().read(limit)

        async def close(self) -> None:
            open_now[0] -= 1

    class Source(MemorySource):
        async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
            open_now[0] += 1
            peak.append(open_now[0])
            return Reader(self, partition, int(resume or 0))

    source, sink = Source({f"p{i}": values(7, f"p{i}-") for i in range(40)}), MemorySink()
    source.max_readers = 3
    await Engine(tmp_path, source, sink, clock=LoopClock()).run()
    assert (len(sink.values()), max(peak), open_now[0]) == (280, 3, 0)


@in_virtual_time
async def test_sources_may_name_their_partitions_alike(tmp_path: Path) -> None:
    first, second = (MemorySource({"p": values(5, name)}, name=name, bounded=False) for name in ("a", "b"))
    engine, sink = following(tmp_path, first, second)
    async with engine.running():
        await asyncio.sleep(10)
    await first.append("p", b"a5")
    async with engine.running():
        await asyncio.sleep(10)
    assert [value for value in sink.values() if value and value.startswith(b"a")] == [*values(5, "a"), b"a5"]
    assert [value for value in sink.values() if value and value.startswith(b"b")] == values(5, "b")
    assert (first.pruned("p"), second.pruned("p")) == (6, 5)
