"""Each check of sources finds the fault it is there for: a source with one mistake fails it."""

from __future__ import annotations

import asyncio
import itertools

import msgspec
import pytest

from tests.conformance.memory import MemorySourceHarness
from wire.core.errors import FatalError, WireError
from wire.core.ports import Lag, ReadLimit, Source
from wire.core.records import Batch, Fingerprint, PartitionId, Position
from wire.testing import sources
from wire.testing.memory import MemoryReader, MemorySource
from wire.testing.sources import SourceCheck, source_checks

_count = itertools.count()


class Swapping(MemoryReader):
    async def read(self, limit: ReadLimit) -> Batch | None:
        batch = await super().read(limit)
        if batch is not None:
            batch.records.reverse()
        return batch


class SkippingBehindPairs(MemoryReader):
    async def read(self, limit: ReadLimit) -> Batch | None:
        batch = await super().read(limit)
        if batch is not None and len(batch.records) == 2:
            self._next += 1
        return batch


class Renumbering(MemoryReader):
    async def read(self, limit: ReadLimit) -> Batch | None:
        batch = await super().read(limit)
        if batch is not None:
            batch.records = [msgspec.structs.replace(r, offset=i) for i, r in enumerate(batch.records)]
        return batch


class NamingTwoAlike(MemoryReader):
    async def read(self, limit: ReadLimit) -> Batch | None:
        batch = await super().read(limit)
        if batch is not None:
            batch.records = [msgspec.structs.replace(r, offset=1) for r in batch.records]
        return batch


class Hasty(MemoryReader):
    """Promises a watermark that later records don't keep."""

    async def read(self, limit: ReadLimit) -> Batch | None:
        batch = await super().read(limit)
        if batch is not None:
            batch.watermark_ms = 1
        return batch


class Greedy(MemoryReader):
    async def read(self, limit: ReadLimit) -> Batch | None:
        return await super().read(msgspec.structs.replace(limit, max_records=limit.max_records + 1))


class Stuffed(MemoryReader):
    async def read(self, limit: ReadLimit) -> Batch | None:
        return await super().read(msgspec.structs.replace(limit, max_bytes=limit.max_bytes + 500))


class EndingWhenItHasFetched(MemoryReader):
    """Fetches the next batch in the background, and ends when that was the last, given or not."""

    _ahead: asyncio.Task[Batch | None] | None = None

    async def read(self, limit: ReadLimit) -> Batch | None:
        if self._ahead is not None and self._ahead.done() and not self._left():
            return None
        batch = await (self._ahead or super().read(limit))
        self._ahead = asyncio.get_running_loop().create_task(super().read(limit))
        return batch

    def _left(self) -> int:
        return self.lag().records or 0


class EndingByError(MemoryReader):
    async def read(self, limit: ReadLimit) -> Batch | None:
        if self._ended:
            raise FatalError("memory.scripted", "read after the end")
        batch = await super().read(limit)
        self._ended = batch is None
        return batch


class PointingAtTheLastRecord(MemoryReader):
    async def read(self, limit: ReadLimit) -> Batch | None:
        batch = await super().read(limit)
        if batch is not None:
            batch.position = Position(b"%d" % (int(batch.position) - 1))
        return batch


class PointingBehindTheEnd(MemoryReader):
    async def read(self, limit: ReadLimit) -> Batch | None:
        batch = await super().read(limit)
        if batch is not None and self._next == len(self._source.items[self._partition]):
            batch.position = Position(b"%d" % (self._next + 1))
        return batch


class MovingBeforeItGives(MemoryReader):
    """Loses a batch if it is cancelled in between."""

    async def read(self, limit: ReadLimit) -> Batch | None:
        batch = await super().read(limit)
        for _ in range(3):
            await asyncio.sleep(0)
        return batch


class EndingWhereItShouldWait(MemoryReader):
    async def read(self, limit: ReadLimit) -> Batch | None:
        if self._next == len(self._source.items[self._partition]):
            return None
        return await super().read(limit)


class ClosedOnce(MemoryReader):
    closed = False

    async def close(self) -> None:
        if self.closed:
            raise FatalError("memory.scripted", "closed already")
        self.closed = True


class ReleasedInOrder(MemoryReader):
    async def release(self, upto: Position) -> None:
        if self._source.pruned(self._partition) >= int(upto):
            raise FatalError("memory.scripted", "released already")
        await super().release(upto)


class PruningTooMuch(MemoryReader):
    async def release(self, upto: Position) -> None:
        await super().release(Position(b"%d" % (int(upto) + 1)))


class LagBelowZero(MemoryReader):
    def lag(self) -> Lag:
        return Lag(records=(super().lag().records or 0) - 1)


class LagAtTheEnd(MemoryReader):
    def lag(self) -> Lag:
        return Lag(records=(super().lag().records or 0) + 1)


class MutantSource(MemorySource):
    """A memory source with another reader."""

    reader = MemoryReader

    async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
        start = (await super().open(partition, resume))._next
        return self.reader(self, partition, start)


class SharingOneReader(MemorySource):
    shared: MemoryReader | None = None

    async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:
        self.shared = self.shared or await super().open(partition, resume)
        return self.shared


class NewFingerprints(MemorySource):
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(b"%d" % next(_count))


class OneFingerprint(MemorySource):
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(b"memory:elsewhere")


class ForgettingPartitions(MemorySource):
    async def partitions(self) -> list[PartitionId]:
        return list(self.items)[:-1]


class MutantHarness(MemorySourceHarness):
    deadline_s = 5

    def __init__(self, mutant: type[MemorySource] | type[MemoryReader]) -> None:
        if issubclass(mutant, MemoryReader):
            self.held = MutantSource({})
            self.held.reader = mutant
        else:
            self.held = mutant({})


MUTANTS: list[tuple[type[MemorySource] | type[MemoryReader], SourceCheck]] = [
    (Swapping, sources.everything_is_read_in_order),
    (SkippingBehindPairs, sources.everything_is_read_in_order),
    (Renumbering, sources.offsets_rise_and_watermarks_hold),
    (Hasty, sources.offsets_rise_and_watermarks_hold),
    (ForgettingPartitions, sources.partitions_are_stable),
    (Greedy, sources.limits_are_respected),
    (Stuffed, sources.limits_are_respected),
    (EndingByError, sources.a_bounded_source_ends_for_good),
    (EndingWhenItHasFetched, sources.a_slow_consumer_reads_everything),
    (MovingBeforeItGives, sources.a_cancelled_read_loses_nothing),
    (NewFingerprints, sources.the_fingerprint_names_what_is_read),
    (OneFingerprint, sources.the_fingerprint_names_what_is_read),
    (ReleasedInOrder, sources.release_may_come_twice_and_late),
    (ClosedOnce, sources.close_may_come_twice),
    (LagBelowZero, sources.lag_is_never_negative),
    (LagAtTheEnd, sources.lag_is_never_negative),
    (SharingOneReader, sources.readers_do_not_disturb_each_other),
    (PointingAtTheLastRecord, sources.any_batch_can_be_resumed_after),
    (PointingAtTheLastRecord, sources.a_restart_at_every_batch_reads_everything_once),
    (PruningTooMuch, sources.what_was_not_released_can_still_be_read),
    (EndingWhereItShouldWait, sources.an_unbounded_source_waits_for_more),
    (PointingBehindTheEnd, sources.what_is_appended_after_the_last_position_is_read),
]


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=lambda each: each.__name__)
async def test_a_faulty_source_fails(mutant: type[MemorySource] | type[MemoryReader], check: SourceCheck) -> None:
    with pytest.raises((AssertionError, WireError, ExceptionGroup)):
        await check(MutantHarness(mutant))


class RepeatingHarness(MutantHarness):
    offsets_repeat = True


async def test_a_source_whose_offsets_repeat_without_an_ordinal_fails() -> None:
    with pytest.raises(AssertionError, match="share offset and ordinal"):
        await sources.offsets_rise_and_watermarks_hold(RepeatingHarness(NamingTwoAlike))


def test_every_check_is_known_to_find_something() -> None:
    assert {check for _, check in MUTANTS} == set(source_checks(MemorySourceHarness))


async def test_a_source_that_hangs_fails_at_the_deadline() -> None:
    class HangingHarness(MemorySourceHarness):
        deadline_s = 0.05

        def source(self, *, bounded: bool) -> Source:
            return super().source(bounded=False)

    with pytest.raises(TimeoutError):
        await sources.everything_is_read_in_order(HangingHarness())
