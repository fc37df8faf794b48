"""A sink that is slow or away holds up the others, or lets go of what waits for it: as its buffer says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, PassStage, spec, values
from wire.core.errors import RecordError, RetryableError
from wire.core.records import Batch
from wire.core.units import Duration
from wire.pipelines.spec import BufferSpec, SinkSpec
from wire.pipelines.stage import StageResult
from wire.testing.faults import Delay, Hang, Raise, Reject
from wire.testing.memory import MemorySink, MemorySource, MemoryTransactionalSink

SHED = SinkSpec(type="memory", buffer=BufferSpec(when_full="shed", max_records=0, max_age=Duration(10_000)))
PLAIN = SinkSpec(type="memory")


@in_virtual_time
async def test_a_slow_sink_that_blocks_holds_up_all(tmp_path: Path) -> None:
    gate = asyncio.Event()
    other, slow = MemorySink(), MemorySink(script=[Hang(gate)])
    engine = Engine(tmp_path, MemorySource({"p": values(1000)}), other, slow, clock=LoopClock())
    async with engine.running() as running:
        await asyncio.sleep(15)
        assert len(other.values()) <= 8 * 4 + 4
        gate.set()
        await running
    assert other.values() == slow.values() == values(1000)


@in_virtual_time
async def test_a_larger_buffer_holds_up_later(tmp_path: Path) -> None:
    gate = asyncio.Event()
    other, slow = MemorySink(), MemorySink(script=[Hang(gate)])
    large = SinkSpec(type="memory", buffer=BufferSpec(max_records=500))
    source = MemorySource({"p": values(1000)})
    engine = Engine(tmp_path, source, other, slow, clock=LoopClock(), feeds=[PLAIN, large])
    async with engine.running() as running:
        await asyncio.sleep(15)
        assert 500 <= len(other.values()) <= 500 + 8 * 4 + 4
        gate.set()
        await running
    assert slow.values() == values(1000)


@in_virtual_time
async def test_a_sink_that_sheds_holds_up_nobody_and_counts_what_it_dropped(tmp_path: Path) -> None:
    gate = asyncio.Event()
    other, slow = MemorySink(), MemorySink(script=[Hang(gate)])
    source = MemorySource({"p": values(1000)})
    engine = Engine(tmp_path, source, other, slow, clock=LoopClock(), feeds=[PLAIN, SHED])
    async with engine.running() as running:
        await asyncio.sleep(10)
        assert len(other.values()) == 1000
        gate.set()
        progress = await running
    assert progress.sinks[1].shed == 1000 - len(slow.values()) > 900
    assert progress.sinks[1].written == len(slow.values())
    assert progress.sinks[0].shed == progress.pending == 0


@in_virtual_time
async def test_nothing_is_dropped_for_the_slowness_of_another(tmp_path: Path) -> None:
    gate = asyncio.Event()
    blocking, quick = MemorySink(script=[Hang(gate)]), MemorySink()
    source = MemorySource({"p": values(1000)})
    engine = Engine(tmp_path, source, blocking, quick, clock=LoopClock(), feeds=[PLAIN, SHED])
    async with engine.running() as running:
        await asyncio.sleep(15)
        gate.set()
        progress = await running
    assert progress.sinks[1].shed == 0
    assert blocking.values() == quick.values() == values(1000)


class Routed(PassStage):
    """Gives the second sink only one record in fifty."""

    def run(self, batch: Batch) -> StageResult:
        some = [record for record in batch.records if record.offset % 50 == 0]
        outputs = [batch, Batch(batch.partition, batch.position, some)]
        return StageResult(outputs, 0, [])


@in_virtual_time
async def test_few_records_that_wait_do_not_hold_up_the_many_either(tmp_path: Path) -> None:
    gate = asyncio.Event()
    other, slow = MemorySink(), MemorySink(script=[Hang(gate)])
    source = MemorySource({"p": values(1000)})
    engine = Engine(tmp_path, source, other, slow, stage=Routed(2), clock=LoopClock(), feeds=[PLAIN, SHED])
    async with engine.running() as running:
        await asyncio.sleep(10)
        assert len(other.values()) == 1000
        gate.set()
        progress = await running
    assert progress.sinks[1].shed + len(slow.values()) == 20


@in_virtual_time
async def test_what_trickles_in_is_dropped_by_its_age_so_that_others_can_commit(tmp_path: Path) -> None:
    """A file of another sink is committed when all of a batch is settled: not after hours because few records come."""
    away = Raise(RetryableError("sink.away", "away"))
    files, slow = MemoryTransactionalSink(), MemorySink(script=[away] * 100_000)
    source, stop = MemorySource({"p": values(1)}, bounded=False), asyncio.Event()
    engine = Engine(tmp_path, source, files, slow, clock=LoopClock(), feeds=[PLAIN, SHED])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run(stop))
        for number in range(1, 10):
            await asyncio.sleep(5)
            await source.append("p", b"r%d" % number)
            assert engine.update().sinks[0].written >= number - 5
        await asyncio.sleep(15)
        progress = engine.update()
        assert (progress.sinks[0].written, progress.sinks[1].shed, progress.pending) == (10, 10, 0)
        stop.set()


@in_virtual_time
async def test_dead_letters_of_a_sink_that_sheds_are_not_dropped(tmp_path: Path) -> None:
    refused = Reject(dict.fromkeys(values(400), RecordError("sink.poison")))
    dead_gate = asyncio.Event()
    sink, dead = MemorySink(script=[refused]), MemorySink(script=[Hang(dead_gate)])
    source = MemorySource({"p": values(400)})
    engine = Engine(
        tmp_path, source, sink, clock=LoopClock(), feeds=[SHED], dead_letter=dead, pipeline=spec("dead_letter")
    )
    async with engine.running() as running:
        await asyncio.sleep(15)
        dead_gate.set()
        progress = await running
    assert progress.dead_lettered == len(dead.records()) > 0
    assert progress.written + progress.dead_lettered + progress.sinks[0].shed == 400


@in_virtual_time
async def test_of_two_sinks_that_shed_the_quick_one_drops_nothing_for_the_other(tmp_path: Path) -> None:
    gate = asyncio.Event()
    hung, quick = MemorySink(script=[Hang(gate)]), MemorySink()
    source = MemorySource({"p": values(1000)})
    engine = Engine(tmp_path, source, hung, quick, clock=LoopClock(), feeds=[SHED, SHED])
    async with engine.running() as running:
        await asyncio.sleep(10)
        gate.set()
        progress = await running
    assert progress.sinks[1].shed == 0
    assert quick.values() == values(1000)
    assert progress.sinks[0].shed > 900


@in_virtual_time
async def test_no_more_is_dropped_than_has_to_be(tmp_path: Path) -> None:
    """The newest of what waited is still written when the sink is back: as much as may be under way."""
    gate = asyncio.Event()
    other, slow = MemorySink(), MemorySink(script=[Hang(gate)])
    engine = Engine(tmp_path, MemorySource({"p": values(1000)}), other, slow, clock=LoopClock(), feeds=[PLAIN, SHED])
    async with engine.running() as running:
        await asyncio.sleep(10)
        gate.set()
        await running
    assert len(slow.values()) >= 8 * 4 - 4
    assert slow.values()[-1] == b"r999"


@in_virtual_time
async def test_making_room_leaves_no_branch_flushing_for_ever(tmp_path: Path) -> None:
    slow = MemorySink(script=[Delay(0.01)] * 500, clock=LoopClock())
    away = MemorySink(script=[Raise(RetryableError("sink.away"))] * 100_000)
    source, stop = MemorySource({"p": values(1000)}, bounded=False), asyncio.Event()
    engine = Engine(tmp_path, source, slow, away, clock=LoopClock(), feeds=[PLAIN, SHED])
    found: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run(stop))
        await asyncio.sleep(60)
        update: Any = engine.update
        found += [branch._flushes for branch in update.__self__._all_branches]
        stop.set()
    assert found == [0, 0]


class ByPartition(PassStage):
    """Gives what is of `p` to the first sink, and all else to both others."""

    def run(self, batch: Batch) -> StageResult:
        none = Batch(batch.partition, batch.position, [])
        outputs = [batch, none, none] if batch.partition == "p" else [none, batch, batch]
        return StageResult(outputs, 0, [])


@in_virtual_time
async def test_making_room_among_several_that_shed_drops_nothing_twice(tmp_path: Path) -> None:
    """Two hang and shed, and a third is so far behind that what they let go makes no room."""
    gate = asyncio.Event()
    blocking, *hung = (MemorySink(script=[Hang(gate)]) for _ in range(3))
    few = {name: values(1) for name in "abcdef"}
    source = MemorySource({**few, "p": values(1000)})
    engine = Engine(
        tmp_path, source, blocking, *hung, stage=ByPartition(3), clock=LoopClock(), feeds=[PLAIN, SHED, SHED]
    )
    async with engine.running() as running:
        await asyncio.sleep(5)
        gate.set()
        progress = await running
    assert progress.pending == 0
    assert len(blocking.values()) == 1000
    assert all(sink.shed + sink.written == 6 for sink in progress.sinks[1:])
