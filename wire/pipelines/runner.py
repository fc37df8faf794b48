"""Runs one task of a pipeline: readers → compiled stage → branches, with checkpoints in between.

    reader ─┐                    ┌─ branch ► writer          the ledger settles a batch when all branches have,
    reader ─┼─► stage (dispatch) ┼─ branch ► writer          a checkpoint covers what is settled without a gap,
    reader ─┘                    └─ dead letters ► writer    then the sources are told (I1)

Nothing is dispatched while too much is pending, so a slow sink stops the reading and memory stays flat (I8).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from wire.core.errors import RetryableError, UnavailableError, WireError, root_cause
from wire.core.ports import Reader, ReadLimit, Source
from wire.core.records import Batch, PartitionId, PartitionKey
from wire.pipelines.branch import Branch, size_of
from wire.pipelines.committer import Committer
from wire.pipelines.dead_letters import Rejected, RejectPolicy
from wire.pipelines.located import located
from wire.pipelines.progress import Progress, SourceProgress
from wire.pipelines.retry import Backoff
from wire.pipelines.run import Run
from wire.pipelines.stage import Stage

log = structlog.get_logger()

_PENDING_BATCHES: Final = 8
_DISCOVERY_S: Final = 2.0
_DRAIN_S: Final = 30.0
_WATCHDOG_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Input:
    """One source with the stage its records go through and the `partitions` it had at the start.

    A `bounded` source has no others; any other is searched for new ones while one of its partitions is being read.
    `path` is where the pipeline names it.
    """

    name: str
    path: str
    source: Source
    stage: Stage
    bounded: bool
    partitions: Sequence[PartitionId]
    progress: SourceProgress


class Runner:
    """One run of a task, from open sinks to the final checkpoint. Use once."""

    def __init__(
        self,
        run: Run,
        inputs: Sequence[Input],
        branches: Sequence[Branch],
        dead_letter: Branch | None,
        *,
        rejects: RejectPolicy,
        committer: Committer,
    ) -> None:
        """Join the parts; `branches` are in the order of the stages' outputs."""
        self._job = run
        self._spec = run.spec
        self._ledger = run.ledger
        self._progress = run.progress
        self._clock = run.clock
        self._inputs = inputs
        self._branches = branches
        self._all_branches = [*branches, dead_letter] if dead_letter else [*branches]
        self._rejects = rejects
        self._committer = committer
        self._readers: dict[PartitionKey, Reader] = {}
        self._reading: dict[PartitionKey, Reader] = {}
        self._read_errors: dict[PartitionKey, WireError] = {}
        self._open = asyncio.Event()  # set while readers may dispatch
        self._open.set()
        self._held = False  # a checkpoint waits for everything pending
        self._idle = asyncio.Event()
        self._idle.set()
        self._committing = asyncio.Lock()
        self._max_records = run.spec.batch.max_records * _PENDING_BATCHES
        self._max_bytes = run.spec.batch.max_bytes.bytes * _PENDING_BATCHES

    async def run(self, stop: asyncio.Event) -> None:
        """Run until every source has ended or `stop` is set; then drain and commit a last checkpoint.

        Raises the FatalError that stopped it. After `stop`, a sink that stays away is given up on after 30 s: what it
        did not take is read again at the next start.
        """
        self._progress.state = "running"
        try:
            await self._run(stop)
        except BaseExceptionGroup as group:
            self._progress.state = "failed"
            raise root_cause(group) from group
        self._progress.state = "stopped" if stop.is_set() else "done"

    async def _run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(branch.run()) for branch in self._all_branches]
            background.append(tasks.create_task(self._checkpoint_loop()))
            background.append(tasks.create_task(self._watchdog()))
            reading = tasks.create_task(self._read_all())
            stopping = tasks.create_task(stop.wait())
            await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
            self._progress.state = "draining"
            await _cancelled(reading, stopping)
            await self._drain(patience_s=_DRAIN_S if stop.is_set() else None)
            await _cancelled(*background)

    def settled(self) -> None:
        """Learn that the ledger settled something: make room for readers, wake who waits for all of it."""
        if not self._ledger.pending_batches:
            self._idle.set()
        if not self._held and not self._full():
            self._open.set()

    def update_progress(self) -> Progress:
        """Return the progress with its gauges brought up to date."""
        progress = self._progress
        for branch in self._all_branches:
            branch.update_progress()
        for entry in self._inputs:
            _update_lag(entry.progress, [r for key, r in self._reading.items() if key.source == entry.name])
        progress.pending = self._ledger.pending_records
        progress.checkpoint_age_s = self._committer.age_s()
        error = next((b.retrying for b in self._all_branches if b.retrying), None)
        error = error or self._committer.retrying or next(iter(self._read_errors.values()), None)
        if error:
            progress.last_error = str(error)
        if progress.state in ("running", "retrying"):
            progress.state = "retrying" if error else "running"
        return progress

    # reading

    async def _read_all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for entry in self._inputs:
                tasks.create_task(self._read_source(entry))

    async def _read_source(self, entry: Input) -> None:
        slots = asyncio.Semaphore(entry.source.max_readers or 1_000_000)
        known: set[PartitionId] = set()
        async with asyncio.TaskGroup() as tasks:
            readers: set[asyncio.Task[None]] = set()
            found = entry.partitions
            while True:
                new = [partition for partition in found if partition not in known]
                known.update(new)
                entry.progress.partitions = len(known)
                readers |= {tasks.create_task(self._read_partition(entry, partition, slots)) for partition in new}
                if readers:
                    _, readers = await asyncio.wait(readers, timeout=None if entry.bounded else _DISCOVERY_S)
                    if not readers:
                        return
                elif entry.bounded:
                    return
                else:  # nothing there yet: a pattern that no topic matches so far
                    await self._clock.sleep(_DISCOVERY_S)
                found = await self._partitions(entry)

    async def _partitions(self, entry: Input) -> Sequence[PartitionId]:
        backoff = self._job.backoff()
        key = PartitionKey(entry.name, PartitionId("*"))
        while True:
            try:
                with located(entry.path):
                    found = await entry.source.partitions()
            except RetryableError as exc:
                error = exc
            except UnavailableError as exc:  # it was there at the start: what is away now may come back
                error = RetryableError(exc.code, exc.message, hint=exc.hint)
            else:
                self._read_errors.pop(key, None)
                return found
            await self._pause(key, backoff, error)

    async def _read_partition(self, entry: Input, partition: PartitionId, slots: asyncio.Semaphore) -> None:
        key = PartitionKey(entry.name, partition)
        async with slots:
            reader = await self._open_reader(entry, key)
            self._readers[key] = self._reading[key] = reader
            try:
                await self._pump(entry, key, reader)
                entry.progress.ended += 1
            finally:
                del self._reading[key]  # it stays in _readers: what it gave is still to be released
                await asyncio.shield(reader.close())

    async def _open_reader(self, entry: Input, key: PartitionKey) -> Reader:
        backoff = self._job.backoff()
        resume = self._committer.position(key, entry.source.fingerprint())
        while True:
            try:
                with located(entry.path):
                    return await entry.source.open(key.partition, resume)
            except RetryableError as exc:
                await self._pause(key, backoff, exc)

    async def _pump(self, entry: Input, key: PartitionKey, reader: Reader) -> None:
        backoff = self._job.backoff()
        while True:
            try:
                with located(entry.path):
                    batch = await reader.read(self._limit())
            except RetryableError as exc:
                await self._pause(key, backoff, exc)
                continue
            if batch is None:
                return
            if backoff.attempts:
                backoff.reset()
                self._read_errors.pop(key, None)
            while not self._open.is_set():
                await self._open.wait()
            self._dispatch(entry, key, batch)

    async def _pause(self, key: PartitionKey, backoff: Backoff, error: RetryableError) -> None:
        self._read_errors[key] = error
        wait_s = backoff.next_s(error)
        log.warning("source_retry", source=key.source, partition=key.partition, code=error.code, error=error.message)
        await self._clock.sleep(wait_s)

    def _limit(self) -> ReadLimit:
        """Share the pending ceiling among the readers, each of which may hold one batch beyond it (I8)."""
        records = min((branch.target for branch in self._branches), default=self._spec.batch.max_records)
        share = self._max_bytes // max(1, len(self._reading))
        return ReadLimit(records, max(1 << 16, min(self._spec.batch.max_bytes.bytes, share)))

    def _dispatch(self, entry: Input, key: PartitionKey, batch: Batch) -> None:
        size = size_of(batch.records)
        result = entry.stage.run(batch)
        entry.progress.read += len(batch.records)
        entry.progress.bytes += size
        self._progress.filtered += result.filtered
        ticket = self._ledger.track(key, batch.position, len(batch.records), size)
        self._idle.clear()
        for branch, output in zip(self._branches, result.outputs, strict=True):
            if output.records:
                branch.put(ticket, entry.name, output, batch)
        if result.failures:
            rejected = [Rejected(batch.records[index], error) for index, error in result.failures]
            self._rejects.reject(ticket, entry.name, batch, rejected)
        self._ledger.settle(ticket)
        if self._full():
            self._open.clear()
        self.settled()

    def _full(self) -> bool:
        return self._ledger.pending_records >= self._max_records or self._ledger.pending_bytes >= self._max_bytes

    # checkpoints

    async def _checkpoint_loop(self) -> None:
        while True:
            await self._clock.sleep(self._spec.checkpoint.interval.s)
            if self._committer.transactional:
                await self._commit_at_rest()
            else:
                await self._commit()

    async def _commit_at_rest(self) -> None:
        """Let everything pending settle, then commit: what a transaction covers must be exactly the checkpoint."""
        self._held = True
        self._open.clear()
        for branch in self._all_branches:
            branch.flush()
        try:
            await self._idle.wait()
            await self._commit()
        finally:
            self._held = False
            for branch in self._all_branches:
                branch.hold_back()
            self.settled()

    async def _commit(self) -> None:
        async with self._committing:
            released = await self._committer.commit()
        for key, position in released.items():  # I1: only what a committed checkpoint covers
            if reader := self._readers.get(key):
                await reader.release(position)
        self._progress.checkpoints += bool(released)

    # ending

    async def _drain(self, *, patience_s: float | None) -> None:
        """Let everything pending settle and commit it; with `patience_s`, give up after that and lose nothing.

        What is not committed then is read again at the next start. The checkpoint loop may be at work meanwhile; its
        commits and this one wait for each other.
        """
        for branch in self._all_branches:
            branch.flush()
        try:
            async with asyncio.timeout(patience_s):
                await self._idle.wait()
                await self._commit()
                return
        except TimeoutError:
            log.warning("drain_gave_up", pending=self._ledger.pending_records, after_s=patience_s)
        if not self._committer.transactional and not self._committing.locked():
            await self._commit()

    async def _watchdog(self) -> None:
        """Report a task that has work and moves none of it."""
        before = (-1, -1)
        while True:
            await self._clock.sleep(_WATCHDOG_S)
            now = (self._progress.read, self._progress.written)
            if now == before and self._ledger.pending_records:
                log.warning("no_progress", pending=self._ledger.pending_records, for_s=_WATCHDOG_S)
            before = now


def _update_lag(progress: SourceProgress, readers: Sequence[Reader]) -> None:
    lags = [reader.lag() for reader in readers]
    records = [lag.records for lag in lags if lag.records is not None]
    sizes = [lag.bytes for lag in lags if lag.bytes is not None]
    progress.lag_records = sum(records) if records else None
    progress.lag_bytes = sum(sizes) if sizes else None


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended; an error they raised is left to their group."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
