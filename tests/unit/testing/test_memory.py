from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.core.errors import FatalError, FencedError, RecordError, RetryableError
from wire.core.ports import Guarantee, ReadLimit, Sink, Source, TaskId, TransactionalWriter, Writer
from wire.core.records import Batch, Checkpoint, Fingerprint, PartitionId, Position, Record
from wire.testing.clock import VirtualClock
from wire.testing.faults import Crash, Delay, Hang, Raise, Reject
from wire.testing.memory import ABORT, EOF, GAP, Mark, MemorySink, MemorySource, MemoryTransactionalSink

P = PartitionId("p")
ALL = ReadLimit(max_records=100, max_bytes=1000)
TASK = TaskId("default/test")


def batch(*values: bytes, first: int = 0) -> Batch:
    records = [Record(value, None, 0, (), first + i) for i, value in enumerate(values)]
    return Batch(P, Position(b"%d" % (first + len(values))), records)


async def read_values(source: Source, resume: Position | None = None) -> list[bytes | None]:
    reader = await source.open(P, resume)
    values = []
    while (got := await reader.read(ALL)) is not None:
        values += [record.value for record in got.records]
    return values


def test_they_are_what_the_ports_ask_for() -> None:
    source: Source = MemorySource({})
    sinks: list[Sink] = [MemorySink(), MemoryTransactionalSink()]
    assert source.format == sinks[0].format == sinks[1].format


async def test_eof_ends_one_run_and_the_next_goes_on_behind_it() -> None:
    source = MemorySource({"p": [b"1", EOF, b"2"]})
    reader = await source.open(P, None)
    first = await reader.read(ALL)
    assert first is not None
    assert await reader.read(ALL) is None
    assert await reader.read(ALL) is None
    assert await read_values(source, first.position) == [b"2"]


async def test_abort_and_scripted_errors_are_raised_once() -> None:
    source = MemorySource({"p": [b"1", ABORT, b"2", FatalError("memory.scripted"), b"3"]})
    reader = await source.open(P, None)
    assert (await reader.read(ALL)) == batch(b"1")
    with pytest.raises(RetryableError):
        await reader.read(ALL)
    assert (await reader.read(ALL)) is not None
    with pytest.raises(FatalError):
        await reader.read(ALL)
    assert await read_values(source) == [b"1", b"2", b"3"]


async def test_a_gap_is_a_batch_without_records() -> None:
    reader = await MemorySource({"p": [GAP, b"1"]}).open(P, None)
    assert await reader.read(ALL) == Batch(P, Position(b"1"), [])
    assert (await reader.read(ALL)) == Batch(P, Position(b"2"), [Record(b"1", None, 0, (), 1)])


ITEMS = st.lists(st.binary(max_size=5) | st.sampled_from([GAP, ABORT]), max_size=20)
LIMITS = st.builds(ReadLimit, max_records=st.integers(1, 4), max_bytes=st.integers(1, 12))


@given(items=ITEMS, limits=st.lists(LIMITS, min_size=1, max_size=5), data=st.data())
def test_whatever_the_script_the_records_before_and_after_any_position_are_all_of_them(
    items: list[bytes | Mark], limits: list[ReadLimit], data: st.DataObject
) -> None:
    async def read(resume: Position | None) -> list[tuple[Position, list[bytes | None]]]:
        reader = await source.open(P, resume)
        found: list[tuple[Position, list[bytes | None]]] = []
        for limit in itertools.cycle(limits):
            try:
                got = await reader.read(limit)
            except RetryableError:
                continue
            if got is None:
                return found
            found.append((got.position, [record.value for record in got.records]))
        raise AssertionError("a cycle does not end")

    source = MemorySource({"p": items})
    everything = [item for item in items if isinstance(item, bytes)]
    batches = asyncio.run(read(None))
    assert [value for _, values in batches for value in values] == everything
    if batches:
        last = data.draw(st.integers(0, len(batches) - 1))
        before = [value for _, values in batches[: last + 1] for value in values]
        after = [value for _, values in asyncio.run(read(batches[last][0])) for value in values]
        assert before + after == everything


async def test_an_unbounded_source_waits_for_what_is_appended() -> None:
    source = MemorySource({"p": []}, bounded=False)
    reader = await source.open(P, None)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        reading = group.create_task(reader.read(ALL))
        await source.append("p", b"1")
    assert reading.result() == batch(b"1")


async def test_what_was_released_is_gone() -> None:
    source = MemorySource({"p": [b"1", b"2", b"3"]})
    reader = await source.open(P, None)
    await reader.release(Position(b"2"))
    assert source.released == [(P, b"2")]
    assert await read_values(source) == [b"3"]
    with pytest.raises(FatalError, match=r"memory\.position_lost"):
        await source.open(P, Position(b"1"))


async def open_plain(sink: MemorySink) -> Writer:
    return await sink.open(TASK, 1, {})


async def open_transactional(sink: MemoryTransactionalSink, epoch: int, *tokens: bytes) -> TransactionalWriter:
    recover = {
        PartitionId(f"p{i}"): Checkpoint(
            generation=0, seq=0, position=Position(b""), source=Fingerprint(b""), sink=token
        )
        for i, token in enumerate(tokens)
    }
    return await sink.open(TASK, epoch, recover)


async def test_a_script_is_played_one_step_per_write() -> None:
    error = RecordError("memory.scripted")
    sink = MemorySink(script=[Raise(RetryableError("memory.scripted")), Reject({b"2": error}), Raise(Crash(), after=1)])
    writer = await open_plain(sink)
    with pytest.raises(RetryableError):
        await writer.write([batch(b"1", b"2")])
    assert sink.values() == []
    (failure,) = await writer.write([batch(b"1"), batch(b"1", b"2")])
    assert (failure.batch, failure.record, failure.error) == (1, 1, error)
    with pytest.raises(Crash):
        await writer.write([batch(b"3"), batch(b"4")])
    assert await writer.write([batch(b"5")]) == []
    assert sink.values() == [b"1", b"1", b"3", b"5"]


async def test_a_standing_refusal_applies_to_every_write() -> None:
    sink = MemorySink(refuse=lambda record: RecordError("memory.scripted") if record.value == b"x" else None)
    writer = await open_plain(sink)
    for _ in range(2):
        assert [f.record for f in await writer.write([batch(b"1", b"x")])] == [1]
    assert sink.values("p") == [b"1", b"1"]
    assert sink.values("q") == []


async def test_a_hanging_write_holds_back_the_ones_behind_it() -> None:
    until = asyncio.Event()
    sink = MemorySink(script=[Hang(until)], max_in_flight=2)
    writer = await open_plain(sink)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(writer.write([batch(b"1")]))
        group.create_task(writer.write([batch(b"2")]))
        while sink.in_flight < 2:
            await asyncio.sleep(0)
        assert sink.values() == []
        until.set()
    assert sink.values() == [b"1", b"2"]
    assert sink.peak_in_flight == 2


async def test_latency_passes_on_the_sinks_clock() -> None:
    clock = VirtualClock(autojump=True)
    writer = await open_plain(MemorySink(script=[Delay(60)], clock=clock))
    await writer.write([batch(b"1")])
    assert clock.monotonic() == 60


async def test_an_open_can_fail() -> None:
    sink = MemorySink(on_open=[Raise(RetryableError("memory.scripted"))])
    with pytest.raises(RetryableError):
        await sink.open(TASK, 1, {})
    await sink.open(TASK, 2, {})
    assert [opening.epoch for opening in sink.openings] == [1, 2]


async def test_transactional_writes_are_seen_only_once_committed() -> None:
    sink = MemoryTransactionalSink()
    assert sink.guarantee is Guarantee.EXACTLY_ONCE
    writer = await open_transactional(sink, 1)
    await writer.write([batch(b"1")])
    await writer.commit({})
    assert sink.values() == []
    await writer.committed()
    assert sink.values() == [b"1"]


async def test_open_cuts_back_to_the_newest_token() -> None:
    sink = MemoryTransactionalSink()
    writer = await open_transactional(sink, 1)
    await writer.write([batch(b"1")])
    first = await writer.commit({})
    await writer.committed()
    await writer.write([batch(b"2")])
    second = await writer.commit({})
    await writer.write([batch(b"3")])
    await open_transactional(sink, 2, first, second)
    assert sink.values() == [b"1", b"2"]
    await open_transactional(sink, 3)
    assert sink.values() == [b"1", b"2"]


async def test_a_commit_whose_checkpoint_was_not_stored_is_discarded() -> None:
    sink = MemoryTransactionalSink()
    writer = await open_transactional(sink, 1)
    await writer.write([batch(b"1")])
    await writer.commit({})
    await open_transactional(sink, 2)
    assert sink.values() == []


async def test_an_older_epoch_changes_nothing() -> None:
    sink = MemoryTransactionalSink()
    zombie = await open_transactional(sink, 1)
    await zombie.write([batch(b"1")])
    await open_transactional(sink, 2)
    with pytest.raises(FencedError):
        await zombie.write([batch(b"2")])
    with pytest.raises(FencedError):
        await zombie.commit({})
    with pytest.raises(FencedError):
        await zombie.committed()
    with pytest.raises(FencedError):
        await sink.open(TASK, 1, {})
    assert sink.values() == []


async def test_a_transactional_write_that_is_to_be_repeated_leaves_nothing() -> None:
    sink = MemoryTransactionalSink(script=[Raise(RetryableError("memory.scripted"), after=1)])
    writer = await open_transactional(sink, 1)
    with pytest.raises(RetryableError):
        await writer.write([batch(b"1", b"2")])
    await writer.write([batch(b"1", b"2")])
    await writer.commit({})
    await writer.committed()
    assert sink.values() == [b"1", b"2"]
