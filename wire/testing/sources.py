"""Conformance checks for sources.

Subclass `wire.testing.harness.SourceHarness`, or `FixedSourceHarness` for input that never grows, and run every check,
each in a world of its own:

    @pytest.mark.parametrize("check", source_checks(MyHarness))
    async def test_conformance(check: SourceCheck, tmp_path: Path) -> None:
        await check(MyHarness(tmp_path))

A check returns, or raises AssertionError saying what was expected and with which seed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from wire.core.ports import Reader, ReadLimit
from wire.core.records import Batch, PartitionId, Position
from wire.testing.checking import documents, expect, seeded
from wire.testing.harness import FixedSourceHarness, SourceHarness, within_deadline
from wire.testing.memory import size_of
from wire.testing.reading import (
    GENEROUS,
    cancelled_read,
    expect_values,
    random_limits,
    read_rest,
    same_limit,
    values_of,
)

SourceCheck = Callable[[Any], Awaitable[None]]
"""A check, to be called with a harness of the class that `source_checks` gave it for."""

_PAUSE_S: Final = 0.02


@contextlib.asynccontextmanager
async def _opened(
    harness: FixedSourceHarness, partition: PartitionId, resume: Position | None = None, *, bounded: bool = True
) -> AsyncIterator[Reader]:
    source = harness.source(bounded=bounded)
    try:
        reader = await source.open(partition, resume)
        try:
            yield reader
        finally:
            await reader.close()
    finally:
        await source.close()


async def _fill(harness: FixedSourceHarness, *counts: int) -> Mapping[PartitionId, list[bytes]]:
    rng = seeded(0)
    held = await harness.fill([documents(f"p{number}", count, rng) for number, count in enumerate(counts)])
    return {partition: list(values) for partition, values in held.items()}


@within_deadline
async def everything_is_read_in_order(harness: FixedSourceHarness) -> None:
    """A bounded source gives exactly what there is, in order, whatever the limits."""
    held = await _fill(harness, 30, 7, 1)
    for seed in harness.seeds:
        limits = random_limits(seeded(seed))
        for partition, values in held.items():
            async with _opened(harness, partition) as reader:
                batches = await read_rest(reader, limits)
            expect_values(values_of(batches), values, f"seed {seed}, {partition}")
            expect({b.partition for b in batches} <= {partition}, f"{partition}: every batch names its partition")


@within_deadline
async def offsets_rise_and_watermarks_hold(harness: FixedSourceHarness) -> None:
    """Offsets rise, strictly unless they may repeat, and then ordinals differ; watermarks hold."""
    for partition in await _fill(harness, 30, 7):
        async with _opened(harness, partition) as reader:
            batches = await read_rest(reader, random_limits(seeded(0)))
        offsets = [record.offset for batch in batches for record in batch.records]
        rising = sorted(offsets) if harness.offsets_repeat else sorted(set(offsets))
        expect(offsets == rising, f"{partition}: offsets rise with every record, found {offsets}")
        ids = Counter((record.offset, record.ordinal) for batch in batches for record in batch.records)
        shared = [identity for identity, count in ids.items() if count > 1]
        expect(not shared, f"{partition}: no two records share offset and ordinal, found {shared}")
        watermark_ms = 0
        for batch in batches:
            late = [record.ts_ms for record in batch.records if record.ts_ms < watermark_ms]
            expect(not late, f"{partition}: no event time before the watermark {watermark_ms}, found {late}")
            watermark_ms = max(watermark_ms, batch.watermark_ms or 0)


@within_deadline
async def partitions_are_stable(harness: FixedSourceHarness) -> None:
    """All instances name the same partitions, each once, whenever they are asked."""
    held = await _fill(harness, 3, 2, 1)
    for _ in range(2):
        source = harness.source(bounded=True)
        for _ in range(2):
            found = list(await source.partitions())
            expect(sorted(found) == sorted(held), f"expected the partitions {sorted(held)}, found {sorted(found)}")
        await source.close()


@within_deadline
async def limits_are_respected(harness: FixedSourceHarness) -> None:
    """No batch has more than `max_records`, nor more than `max_bytes` unless it is a single record."""
    held = await _fill(harness, 40)
    for partition, values in held.items():
        for limit in (ReadLimit(1, 1 << 20), ReadLimit(3, 1 << 20), ReadLimit(1000, 1), ReadLimit(1000, 300)):
            async with _opened(harness, partition) as reader:
                batches = await read_rest(reader, same_limit(limit))
            expect_values(values_of(batches), values, f"{partition} with {limit}")
            for records in (batch.records for batch in batches):
                expect(len(records) <= limit.max_records, f"{limit}: found {len(records)} records")
                size = sum(map(size_of, records))
                expect(
                    size <= limit.max_bytes or len(records) == 1,
                    f"{limit}: found {size} bytes in {len(records)} records",
                )


@within_deadline
async def a_bounded_source_ends_for_good(harness: FixedSourceHarness) -> None:
    """After the first None every read gives None; a partition without records ends at once."""
    for partition in await _fill(harness, 3, 0):
        async with _opened(harness, partition) as reader:
            await read_rest(reader, same_limit(GENEROUS))
            for _ in range(3):
                expect(await reader.read(GENEROUS) is None, f"{partition}: after its end a reader gives None again")


@within_deadline
async def any_batch_can_be_resumed_after(harness: FixedSourceHarness) -> None:
    """A new instance opened at the position of any batch gives exactly what came after that batch."""
    held = await _fill(harness, 12, 3)
    for partition, values in held.items():
        seen: set[tuple[int, Position]] = set()
        for limit in (ReadLimit(1, 1 << 20), ReadLimit(2, 200), ReadLimit(5, 1 << 20), GENEROUS):
            async with _opened(harness, partition) as reader:
                batches = await read_rest(reader, same_limit(limit))
            seen |= {(len(values_of(batches[: i + 1])), batch.position) for i, batch in enumerate(batches)}
        for count, position in sorted(seen):
            async with _opened(harness, partition, position) as reader:
                rest = await read_rest(reader, random_limits(seeded(count)))
            expect_values(values_of(rest), values[count:], f"{partition} resumed after {count} records")


@within_deadline
async def a_restart_at_every_batch_reads_everything_once(harness: FixedSourceHarness) -> None:
    """One batch per life, each life going on where the last one stopped, gives every record exactly once."""
    held = await _fill(harness, 12, 3)
    for seed in harness.seeds:
        limits = random_limits(seeded(seed))
        for partition, values in held.items():
            batches: list[Batch] = []
            resume = None
            while True:
                async with _opened(harness, partition, resume) as reader:
                    batch = await reader.read(next(limits))
                if batch is None:
                    break
                expect(batch.position != resume, f"seed {seed}, {partition}: no batch ends where the one before it did")
                batches.append(batch)
                resume = batch.position
            expect_values(values_of(batches), values, f"seed {seed}, {partition}")


@within_deadline
async def a_cancelled_read_loses_nothing(harness: FixedSourceHarness) -> None:
    """Reads that are cancelled at random moments change nothing about what is read in the end."""
    held = await _fill(harness, 20, 3)
    for seed in harness.seeds:
        rng = seeded(seed)
        limits = random_limits(rng)
        for partition, values in held.items():
            async with _opened(harness, partition) as reader:
                reads = [await cancelled_read(reader, next(limits), rng.randrange(15)) for _ in range(40)]
                rest = await read_rest(reader, limits)
            batches = [batch for read in reads if not read.cancelled() and (batch := read.result())]
            expect_values(values_of(batches + rest), values, f"seed {seed}, {partition}")


@within_deadline
async def a_slow_consumer_reads_everything(harness: FixedSourceHarness) -> None:
    """With pauses between the reads, in which a reader may fetch ahead up to its end, everything is still read."""
    for partition, values in (await _fill(harness, 13, 4)).items():
        async with _opened(harness, partition) as reader:
            batches: list[Batch] = []
            while (batch := await reader.read(ReadLimit(2, 1 << 20))) is not None:
                batches.append(batch)
                await asyncio.sleep(_PAUSE_S)
        expect_values(values_of(batches), values, f"{partition}, read slowly")


@within_deadline
async def an_unbounded_source_waits_for_more(harness: SourceHarness) -> None:
    """At the end a read waits; cancelled there or not, it gives what is appended."""
    for partition, values in (await _fill(harness, 3)).items():
        async with _opened(harness, partition, bounded=False) as reader:
            found = await _read_count(reader, len(values))
            read = await cancelled_read(reader, GENEROUS, 50)
            expect(read.cancelled(), f"{partition}: a read at the end waits")
            appended: list[bytes] = []
            for number in range(3):
                async with asyncio.TaskGroup() as group:
                    reading = group.create_task(_read_count(reader, 1))
                    appended += await harness.append(partition, [b'{"appended": %d}' % number])
                found += reading.result()
        expect_values(found, [*values, *appended], partition)


@within_deadline
async def what_is_appended_after_the_last_position_is_read(harness: SourceHarness) -> None:
    """A new instance opened at the end of what there was gives what was appended meanwhile, and nothing else."""
    for partition, values in (await _fill(harness, 3)).items():
        async with _opened(harness, partition) as reader:
            batches = await read_rest(reader, same_limit(GENEROUS))
        expect_values(values_of(batches), values, partition)
        appended = await harness.append(partition, [b'{"appended": 1}', b'{"appended": 2}'])
        async with _opened(harness, partition, batches[-1].position) as reader:
            rest = await read_rest(reader, same_limit(GENEROUS))
        expect_values(values_of(rest), appended, f"{partition} resumed at its former end")


async def _read_count(reader: Reader, count: int) -> list[bytes | None]:
    """Read at least `count` records of a source that isn't bounded."""
    found: list[bytes | None] = []
    while len(found) < count:
        batch = await reader.read(GENEROUS)
        if batch is None:
            raise AssertionError("a source that is not bounded has no end")
        found += values_of([batch])
    return found


@within_deadline
async def the_fingerprint_names_what_is_read(harness: FixedSourceHarness) -> None:
    """All instances on one target have one fingerprint, before and after reading; another target has another."""
    held = await _fill(harness, 3)
    first, second, other = harness.source(bounded=True), harness.source(bounded=True), harness.elsewhere()
    before = first.fingerprint()
    await first.partitions()
    for partition in held:
        reader = await first.open(partition, None)
        await reader.read(GENEROUS)
        await reader.close()
    expect(before == first.fingerprint(), "reading does not change the fingerprint")
    expect(before == second.fingerprint(), "two instances on one target have one fingerprint")
    expect(other is None or before != other.fingerprint(), "another target has another fingerprint")
    for source in (first, second, other):
        if source is not None:
            await source.close()


@within_deadline
async def release_may_come_twice_and_late(harness: FixedSourceHarness) -> None:
    """Releasing disturbs no read, and may be repeated, out of order, and after close."""
    held = await _fill(harness, 9, 2)
    for partition, values in held.items():
        async with _opened(harness, partition) as reader:
            batches: list[Batch] = []
            while (batch := await reader.read(ReadLimit(2, 1 << 20))) is not None:
                batches.append(batch)
                await reader.release(batch.position)
                await reader.release(batches[0].position)
                await reader.release(batch.position)
        await reader.release(batches[-1].position)
        expect_values(values_of(batches), values, f"{partition} with releases")


@within_deadline
async def what_was_not_released_can_still_be_read(harness: FixedSourceHarness) -> None:
    """A new instance opened at the released position gives everything after it."""
    held = await _fill(harness, 6)
    for partition, values in held.items():
        async with _opened(harness, partition) as reader:
            batch = await reader.read(ReadLimit(3, 1 << 20))
            expect(batch is not None, f"{partition} has records")
            position = batch.position if batch else Position(b"")
            count = len(values_of([batch] if batch else []))
            await reader.release(position)
        async with _opened(harness, partition, position) as reader:
            rest = await read_rest(reader, same_limit(GENEROUS))
        expect_values(values_of(rest), values[count:], f"{partition} after a release at {count}")


@within_deadline
async def close_may_come_twice(harness: FixedSourceHarness) -> None:
    """Readers and the source can be closed again, unread, half read, and in either order."""
    for partition in await _fill(harness, 3, 1):
        for reads in range(2):
            source = harness.source(bounded=True)
            reader = await source.open(partition, None)
            for _ in range(reads):
                await reader.read(ReadLimit(1, 1 << 20))
            await reader.close()
            await reader.close()
            await source.close()
            await source.close()
            await reader.close()
    await harness.source(bounded=True).close()


@within_deadline
async def lag_is_never_negative(harness: FixedSourceHarness) -> None:
    """Lag is None or at least 0 at any time, and 0 at the end of what there is."""
    for partition in await _fill(harness, 10, 1):
        async with _opened(harness, partition) as reader:
            _expect_lag(reader, partition)
            while await reader.read(ReadLimit(2, 1 << 20)) is not None:
                _expect_lag(reader, partition)
            lag = reader.lag()
            expect(lag.records in (None, 0) and lag.bytes in (None, 0), f"{partition}: no lag at the end, found {lag}")


def _expect_lag(reader: Reader, partition: PartitionId) -> None:
    lag = reader.lag()
    expect((lag.records or 0) >= 0 and (lag.bytes or 0) >= 0, f"{partition}: lag is not negative, found {lag}")


@within_deadline
async def readers_do_not_disturb_each_other(harness: FixedSourceHarness) -> None:
    """Partitions read in turns through one instance each give exactly their own records."""
    held = await _fill(harness, 9, 9, 9)
    source = harness.source(bounded=True)
    together = list(held)[: source.max_readers]
    readers = {partition: await source.open(partition, None) for partition in together}
    found: dict[PartitionId, list[Batch]] = {partition: [] for partition in together}
    reading = set(together)
    while reading:
        for partition in sorted(reading):
            batch = await readers[partition].read(ReadLimit(2, 1 << 20))
            if batch is None:
                reading.remove(partition)
                await readers[partition].close()
            else:
                found[partition].append(batch)
    await source.close()
    for partition, batches in found.items():
        expect_values(values_of(batches), held[partition], partition)


_ALWAYS: Final[Sequence[SourceCheck]] = (
    everything_is_read_in_order,
    offsets_rise_and_watermarks_hold,
    partitions_are_stable,
    limits_are_respected,
    a_bounded_source_ends_for_good,
    a_cancelled_read_loses_nothing,
    a_slow_consumer_reads_everything,
    the_fingerprint_names_what_is_read,
    release_may_come_twice_and_late,
    close_may_come_twice,
    lag_is_never_negative,
    readers_do_not_disturb_each_other,
)
_RESUMING: Final[Sequence[SourceCheck]] = (
    any_batch_can_be_resumed_after,
    a_restart_at_every_batch_reads_everything_once,
    what_was_not_released_can_still_be_read,
)
_APPENDING: Final[Sequence[SourceCheck]] = (an_unbounded_source_waits_for_more,)
_RESUMING_APPENDED: Final[Sequence[SourceCheck]] = (what_is_appended_after_the_last_position_is_read,)


def source_checks(harness: type[FixedSourceHarness]) -> list[SourceCheck]:
    """Return the checks that a source with such a harness has to pass."""
    appends = issubclass(harness, SourceHarness)
    checks = [*_ALWAYS, *(_RESUMING if harness.resumes else ()), *(_APPENDING if appends else ())]
    return [*checks, *(_RESUMING_APPENDED if harness.resumes and appends else ())]
