"""Each check of sinks finds the fault it is there for: a sink with one mistake fails it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import pytest

from tests.conformance.memory import MemorySinkHarness, MemoryTransactionalSinkHarness, refuse_some
from wire.core.errors import FatalError, RecordError, RetryableError, WireError
from wire.core.ports import Failure, Guarantee, TaskId
from wire.core.records import Batch, Checkpoint, PartitionId
from wire.testing import sinks
from wire.testing.harness import SinkHarness
from wire.testing.memory import (
    MemorySink,
    MemoryTransactionalSink,
    MemoryTransactionalWriter,
    MemoryWriter,
)
from wire.testing.sinks import SinkCheck, sink_checks

Recover = Mapping[PartitionId, Checkpoint]


class Swapping(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        return await super().write([batch.take(range(len(batch.records))[::-1]) for batch in batches])


class Forgetful(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        return await super().write(
            [batch.take([i for i, r in enumerate(batch.records) if r.offset != 5]) for batch in batches]
        )


class Doubling(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        await super().write(batches)
        return await super().write(batches)


class ExpectingRecords(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        if not all(batch.records for batch in batches):
            raise FatalError("memory.scripted", "nothing to write")
        return await super().write(batches)


class ClosedOnce(MemoryWriter):
    closed = False

    async def close(self) -> None:
        if self.closed:
            raise FatalError("memory.scripted", "closed already")
        self.closed = True


class Buffering(MemoryWriter):
    """Says that it is done before it is: durable only with the next write, or when closed."""

    buffered: Sequence[Batch] = ()

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        before, self.buffered = self.buffered, batches
        return await super().write(before)

    async def close(self) -> None:
        await super().write(self.buffered)
        self.buffered = ()


class RefusingRepeats(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        again = [batch for batch in batches if batch in self._sink.log]
        if again:
            raise FatalError("memory.scripted", "written already")
        return await super().write(batches)


class Overtaking(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        for _ in range(batches[0].records[0].offset % 3):
            await asyncio.sleep(0)
        return await super().write(batches)


class CountingAcrossBatches(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        starts = [sum(len(batch.records) for batch in batches[:i]) for i in range(len(batches))]
        failures = await super().write(batches)
        return [Failure(f.batch, starts[f.batch] + f.record, f.error) for f in failures]


class HopingForBadRecords(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        failures = await super().write(batches)
        return [Failure(f.batch, f.record, RetryableError("memory.scripted")) for f in failures]


class TakingOutagesForDeath(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        try:
            return await super().write(batches)
        except RetryableError as error:
            raise FatalError("memory.scripted") from error


class IgnoringOutages(MemoryWriter):
    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        try:
            return await super().write(batches)
        except RetryableError:
            return []


class MutantSink(MemorySink):
    writer = MemoryWriter

    async def open(self, task: TaskId, epoch: int, recover: Recover) -> MemoryWriter:
        await super().open(task, epoch, recover)
        return self.writer(self)


class StartingOver(MemorySink):
    async def open(self, task: TaskId, epoch: int, recover: Recover) -> MemoryWriter:
        self.log.clear()
        return await super().open(task, epoch, recover)


class PromisingTooMuch(MemorySink):
    guarantee = Guarantee.EXACTLY_ONCE


class NeverCutting(MemoryTransactionalSink):
    async def open(self, task: TaskId, epoch: int, recover: Recover) -> MemoryTransactionalWriter:
        log = self.log_of(task)
        before = list(log.log)
        writer = await super().open(task, epoch, recover)
        log.log[:] = before
        return writer


class TrustingItsOwnCommits(MemoryTransactionalSink):
    """Keeps what it committed, whether the checkpoints were stored or not."""

    async def open(self, task: TaskId, epoch: int, recover: Recover) -> MemoryTransactionalWriter:
        log = self.log_of(task)
        log.public = log.durable
        return await super().open(task, epoch, recover)


class IgnoringTokens(MemoryTransactionalSink):
    async def open(self, task: TaskId, epoch: int, recover: Recover) -> MemoryTransactionalWriter:
        forgotten = {p: msgspec.structs.replace(checkpoint, sink=None) for p, checkpoint in recover.items()}
        return await super().open(task, epoch, forgotten)


class IgnoringEpochs(MemoryTransactionalWriter):
    def _check_epoch(self) -> None:
        return


class CommittingEpochs(MemoryTransactionalWriter):
    """Fences writes, but lets an older epoch publish."""

    async def committed(self) -> None:
        self._log.public = len(self._log.log)


class ClosingCommits(MemoryTransactionalWriter):
    async def close(self) -> None:
        self._log.public = self._log.durable = len(self._log.log)


class MutantTransactionalSink(MemoryTransactionalSink):
    writer = MemoryTransactionalWriter

    async def open(self, task: TaskId, epoch: int, recover: Recover) -> MemoryTransactionalWriter:
        await super().open(task, epoch, recover)
        return self.writer(self, self.log_of(task), epoch)


Mutant = type[MemoryWriter | MemorySink | MemoryTransactionalWriter | MemoryTransactionalSink]


def harness_of(mutant: Mutant) -> SinkHarness:
    if issubclass(mutant, MemoryTransactionalSink | MemoryTransactionalWriter):
        transactional = MemoryTransactionalSinkHarness()
        if issubclass(mutant, MemoryTransactionalWriter):
            transactional.target = MutantTransactionalSink(refuse=refuse_some)
            transactional.target.writer = mutant
        else:
            transactional.target = mutant(refuse=refuse_some)
        return transactional
    plain = MemorySinkHarness()
    if issubclass(mutant, MemoryWriter):
        plain.target = MutantSink(refuse=refuse_some, max_in_flight=3)
        plain.target.writer = mutant
    else:
        plain.target = mutant(refuse=refuse_some, max_in_flight=3)
    return plain


MUTANTS: list[tuple[Mutant, SinkCheck]] = [
    (Swapping, sinks.what_was_written_is_seen_in_order),
    (Forgetful, sinks.what_was_written_is_seen_in_order),
    (Doubling, sinks.what_was_written_is_seen_in_order),
    (StartingOver, sinks.a_second_run_adds_to_the_first),
    (ExpectingRecords, sinks.nothing_to_write_is_fine),
    (ClosedOnce, sinks.close_may_come_twice),
    (Buffering, sinks.crashes_lose_nothing),
    (PromisingTooMuch, sinks.crashes_lose_nothing),
    (NeverCutting, sinks.crashes_lose_nothing),
    (TrustingItsOwnCommits, sinks.crashes_lose_nothing),
    (IgnoringTokens, sinks.crashes_lose_nothing),
    (ClosingCommits, sinks.crashes_lose_nothing),
    (RefusingRepeats, sinks.a_write_may_be_repeated),
    (Overtaking, sinks.writes_under_way_at_once_keep_order),
    (CountingAcrossBatches, sinks.failures_point_to_the_right_records),
    (HopingForBadRecords, sinks.failures_point_to_the_right_records),
    (TakingOutagesForDeath, sinks.an_outage_is_survived),
    (IgnoringOutages, sinks.an_outage_is_survived),
    (NeverCutting, sinks.what_was_not_committed_is_discarded),
    (ClosingCommits, sinks.closing_commits_nothing),
    (TrustingItsOwnCommits, sinks.what_was_committed_but_not_stored_is_discarded),
    (TrustingItsOwnCommits, sinks.a_failed_first_run_leaves_nothing),
    (IgnoringTokens, sinks.what_was_stored_is_kept),
    (IgnoringEpochs, sinks.an_older_epoch_changes_nothing),
    (CommittingEpochs, sinks.an_older_epoch_changes_nothing),
]


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=lambda each: each.__name__)
async def test_a_faulty_sink_fails(mutant: Mutant, check: SinkCheck) -> None:
    with pytest.raises((AssertionError, WireError, ExceptionGroup)) as failure:
        await check(harness_of(mutant))
    assert not isinstance(failure.value, RecordError)


def test_every_check_is_known_to_find_something() -> None:
    checks = {*sink_checks(MemorySinkHarness), *sink_checks(MemoryTransactionalSinkHarness)}
    assert {check for _, check in MUTANTS} == checks


def test_a_sink_that_keeps_nothing_has_only_the_checks_that_read_nothing_back() -> None:
    class NothingKept(MemorySinkHarness):
        keeps = False

    assert sink_checks(NothingKept) == [sinks.nothing_to_write_is_fine, sinks.close_may_come_twice]


async def test_the_harness_must_say_which_kind_of_writer_there_is() -> None:
    class Mistaken(MemorySinkHarness):
        transactional = True

    with pytest.raises(AssertionError, match="transactional = True, found False"):
        await sinks.close_may_come_twice(Mistaken())
