"""What a run says of itself, and what it keeps: counters, states, errors, readers, names."""

from __future__ import annotations

import asyncio
import weakref
from pathlib import Path

import msgspec
import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, spec, values
from tests.waiting import until
from wire.core.errors import FatalError, RecordError, RetryableError, WireError
from wire.core.records import PartitionId, Position
from wire.core.units import Duration
from wire.pipelines.engine.assembly import SinkPart
from wire.pipelines.spec import CheckpointSpec, RetrySpec
from wire.testing.faults import Hang, Raise
from wire.testing.memory import MemoryReader, MemorySink, MemorySource, MemoryTransactionalSink

AWAY = RetryableError("sink.away", "away")
POISON = RecordError("sink.poison", "poison")


async def test_a_sink_may_have_any_name_and_the_dead_letters_are_still_kept(tmp_path: Path) -> None:
    source, sink, dead = MemorySource({"p": [b"bad", b"r1"]}), MemoryTransactionalSink(), MemoryTransactionalSink()
    engine = Engine(tmp_path, source, sink, pipeline=spec("dead_letter"), dead_letter=dead)
    engine.parts.sinks[0] = SinkPart("dead_letter", "memory", "$.sink", sink)  # type: ignore[index]
    await engine.run()
    assert (sink.values(), dead.values()) == ([b"r1"], [b"bad"])


async def test_a_dead_letter_counts_once_it_is_durable(tmp_path: Path) -> None:
    gate = asyncio.Event()
    source, dead = MemorySource({"p": [b"bad", b"r1"]}, bounded=False), MemorySink(script=[Hang(gate)])
    engine = Engine(tmp_path, source, MemorySink(), pipeline=spec("dead_letter"), dead_letter=dead)
    async with engine.running():
        await until(lambda: engine.progress.written == 1)
        assert engine.update().dead_lettered == 0
        gate.set()
        await until(lambda: source.pruned("p") == 2)
    progress = engine.progress
    assert progress.dead_letter is not None
    assert (progress.dead_lettered, progress.dead_letter.written, progress.pending) == (1, 1, 0)


async def test_what_a_failing_run_has_not_committed_does_not_count_as_written(tmp_path: Path) -> None:
    boom = FatalError("sink.boom", "boom")
    source = MemorySource({"p": values(9)}, bounded=False)
    sink = MemoryTransactionalSink(commit_script=[None, Raise(boom)])
    engine = Engine(tmp_path, source, sink, pipeline=spec(records=9))  # in one batch, and one commit

    async def run_until_it_fails() -> None:
        async with engine.running() as running:
            await until(lambda: source.pruned("p") == 9)
            await source.append("p", *values(5, "s"))
            await until(running.done)

    with pytest.raises(FatalError):
        await run_until_it_fails()
    assert engine.progress.read == 14
    assert engine.progress.written == len(sink.values()) == 9


@pytest.mark.parametrize("policy", ["skip", "dead_letter"])
@pytest.mark.parametrize("kind", [MemorySink, MemoryTransactionalSink])
async def test_the_counters_add_up(
    tmp_path: Path, policy: str, kind: type[MemorySink | MemoryTransactionalSink]
) -> None:
    rows = [b"bad", b"skip", b"poison", b"r"] * 25
    sink, dead = kind(refuse=lambda r: POISON if r.value == b"poison" else None), kind()
    engine = Engine(
        tmp_path,
        MemorySource({"p": rows, "q": rows}),
        sink,
        pipeline=spec(policy),
        dead_letter=dead if policy == "dead_letter" else None,
    )
    progress = await engine.run()
    lost = progress.dead_lettered + progress.skipped
    assert (progress.read, progress.filtered, progress.written, lost, progress.pending) == (200, 50, 50, 100, 0)
    assert len(dead.values()) == progress.dead_lettered


@in_virtual_time
async def test_a_source_that_came_back_is_no_trouble_any_more(tmp_path: Path) -> None:
    class Source(MemorySource):
        tries = 0

        async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
            self.tries += 1
            if self.tries == 1:
                raise RetryableError("source.away", "away")
            return await super().open(partition, resume)

    source = Source({"p": values(3)}, bounded=False)
    clock = LoopClock()
    slow = msgspec.structs.replace(spec(), checkpoint=CheckpointSpec(interval=Duration(100)))
    engine = Engine(tmp_path, source, MemorySink(), pipeline=slow, clock=clock)
    async with engine.running():
        await until(lambda: source.tries > 1 and source.pruned("p") == 3)
        assert engine.update().state == "running"


async def test_readers_that_ended_are_let_go_once_all_they_gave_is_released(tmp_path: Path) -> None:
    readers: weakref.WeakSet[MemoryReader] = weakref.WeakSet()

    class Source(MemorySource):
        async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
            reader = await super().open(partition, resume)
            readers.add(reader)
            return reader

    source = Source({f"p{i}": values(3) for i in range(20)})
    source.max_readers = 1
    gate = asyncio.Event()
    async with Engine(tmp_path, source, MemorySink(script=[*[None] * 19, Hang(gate)])).running() as running:
        await until(lambda: source.pruned("p18") == 3)
        await until(lambda: len(readers) <= 1)
        gate.set()
        await until(running.done)
    assert source.pruned("p19") == 3


async def test_an_error_on_the_way_out_does_not_hide_why_the_run_failed(tmp_path: Path) -> None:
    boom, also = FatalError("sink.boom", "boom"), FatalError("sink.also", "this too")

    class Source(MemorySource):
        async def close(self) -> None:
            raise also

    with pytest.raises(WireError) as caught:
        await Engine(tmp_path, Source({"p": values(3)}), MemorySink(script=[Raise(boom)])).run()
    assert caught.value is boom
    with pytest.raises(WireError) as caught:
        await Engine(tmp_path, Source({"p": values(3)}), MemorySink()).run()
    assert caught.value is also


async def test_publishing_what_is_committed_is_tried_again(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(5)}), MemoryTransactionalSink(committed_script=[Raise(AWAY)] * 3)
    await Engine(tmp_path, source, sink).run()
    assert sink.values() == values(5)


async def test_after_a_crash_between_checkpoint_and_release_the_source_is_told_at_the_next_start(
    tmp_path: Path,
) -> None:
    class Reader(MemoryReader):
        async def release(self, upto: Position) -> None:
            if crashing:
                raise FatalError("test.crash")
            await super().release(upto)

    class Source(MemorySource):
        async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
            return Reader(self, partition, int(resume or 0))

    crashing, source = True, Source({"p": values(5)})
    engine = Engine(tmp_path, source, MemorySink())
    with pytest.raises(FatalError):
        await engine.run()
    assert source.pruned("p") == 0
    crashing = False
    await engine.run()
    assert source.pruned("p") == 5


@in_virtual_time
async def test_while_it_waits_for_a_sink_to_open_it_says_so(tmp_path: Path) -> None:
    sink = MemorySink(on_open=[Raise(AWAY)] * 5)
    source = MemorySource({"p": values(3)}, bounded=False)
    slow = msgspec.structs.replace(
        spec(),
        retry=RetrySpec(initial=Duration(60_000), max=Duration(60_000)),
        checkpoint=CheckpointSpec(interval=Duration(1000)),
    )
    engine = Engine(tmp_path, source, sink, pipeline=slow, clock=LoopClock())
    async with engine.running():
        await until(lambda: engine.progress.state == "retrying")
        assert engine.progress.last_error == "sink.away at $.sinks[0]: away"
        await until(lambda: engine.update().state == "running", deadline_s=600)
        await until(lambda: source.pruned("p") == 3, deadline_s=600)
    assert sink.values() == values(3)
