"""Runs one task of a pipeline: readers → compiled stage → branches, with checkpoints in between.

    reader ─┐                    ┌─ branch ► writer          the ledger settles a batch when all branches have,
    reader ─┼─► stage (dispatch) ┼─ branch ► writer          a checkpoint covers what is settled without a gap,
    reader ─┘                    └─ dead letters ► writer    then the sources are told (I1)

Nothing is dispatched while too much is pending, so a slow sink stops the reading and memory stays flat (I8).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from wire.core.errors import RetryableError, UnavailableError, WireError, root_cause
from wire.core.ports import Reader, ReadLimit, Source, Transactions
from wire.core.records import Batch, PartitionId, PartitionKey, Position
from wire.pipelines.engine.account import Account
from wire.pipelines.engine.branch import SHED_AFTER_S, Branch
from wire.pipelines.engine.checkpointing import Checkpointing
from wire.pipelines.engine.committer import Committer
from wire.pipelines.engine.lag import update_lag
from wire.pipelines.engine.patience import to_the_end, within
from wire.pipelines.engine.progress import Progress, SourceProgress
from wire.pipelines.engine.queue import size_of
from wire.pipelines.engine.rejecting import Rejected, RejectPolicy
from wire.pipelines.engine.run import Run
from wire.pipelines.engine.throttle import Throttle
from wire.pipelines.located import located
from wire.pipelines.stage import Stage, StageResult

log = structlog.get_logger()

T = TypeVar("T")

Tap = Callable[[str, Sequence[Batch]], bool]

_PENDING_BATCHES: Final = 8
_HELD_BATCHES: Final = 64
_FEWEST_RECORDS: Final = 100
_FEWEST_BYTES: Final = 1 << 16
_TURN: Final = 1000
_BATCH_COST: Final = 16
_DISCOVERY_S: Final = 2.0
_SETTLE_S: Final = 20.0
_LAST_COMMIT_S: Final = 5.0
_WATCHDOG_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Input:
    """One source with the stage its records go through and the `partitions` to begin with.

    Where they are `complete` no others are read; else the source is searched for new ones while one of its partitions
    is being read. `path` is where the pipeline names it; `throttles` are all that its records have to pass.
    """

    name: str
    path: str
    source: Source
    stage: Stage
    complete: bool
    partitions: Sequence[PartitionId]
    progress: SourceProgress
    throttles: Sequence[Throttle] = ()

    @property
    def readers(self) -> int:
        """How many of its partitions are read at once, or about to be."""
        left = self.progress.partitions - self.progress.ended
        return min(left, self.source.max_readers or left)


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
        transactions: Transactions | None = None,
        account: Account | None = None,
    ) -> None:
        """Join the parts; `branches` are in the order of the stages' outputs.

        Where there are `transactions`, it is these that say when to commit. `account` is told what is read.
        """
        self._job = run
        self._spec = run.spec
        self._ledger = run.ledger
        self._progress = run.progress
        self._clock = run.clock
        self._inputs = inputs
        self._branches = branches
        self._all_branches = [*branches, dead_letter] if dead_letter else [*branches]
        self._rejects = rejects
        self._account = account
        self._committer = committer
        self._checkpointing = Checkpointing(run, self._all_branches, committer, transactions, self._release)
        self._readers: dict[PartitionKey, Reader] = {}
        self._reading: dict[PartitionKey, Reader] = {}
        self._read_errors: dict[PartitionKey, WireError] = {}
        self._open = asyncio.Event()  # set while readers may dispatch
        self._open.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tap: Tap | None = None
        buffers = [sink.buffer for sink in run.spec.every_sink if sink.buffer]
        self._max_records = run.spec.batch.max_records * _PENDING_BATCHES + sum(b.max_records for b in buffers)
        self._max_bytes = run.spec.batch.max_bytes.bytes * _PENDING_BATCHES + sum(b.max_bytes.bytes for b in buffers)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until every source has ended or `stop` is set; then drain and commit a last checkpoint.

        Raises the FatalError that stopped it. Once `stop` is set it ends within 30 s, whoever is away: what could not
        be written or committed by then is read again at the next start.
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
            background.append(tasks.create_task(self._checkpointing.run()))
            background.append(tasks.create_task(self._watchdog()))
            if any(branch.sheds for branch in self._branches):
                background.append(tasks.create_task(self._keep_open()))
            await within(stop, 0, self._read_all())
            self._progress.state = "draining"
            await self._drain(stop)
            for task in background:
                task.cancel()

    def settled(self) -> None:
        """Learn that the ledger settled something: make room for readers, wake who waits for all of it."""
        if not self._open.is_set() and not self._full():  # which may settle more, so that it comes first
            self._open.set()
            for branch in self._all_branches:
                branch.hold_back()
        if not self._ledger.pending_batches:
            self._idle.set()
        self._checkpointing.settled()

    def tap(self, tap: Tap) -> None:
        """Show `tap` a source's name and a batch for each sink, again and again, until it returns False.

        It must not change them, and takes the place of another.
        """
        self._tap = tap

    def update_progress(self) -> Progress:
        """Return the progress with its gauges brought up to date."""
        progress = self._progress
        for branch in self._all_branches:
            branch.update_progress()
        for entry in self._inputs:
            readers = [r for key, r in self._reading.items() if key.source == entry.name]
            update_lag(entry.progress, readers, self._clock.now_ms())
        progress.pending = self._pending
        if progress.dead_letter:
            progress.dead_lettered = progress.dead_letter.written
        progress.checkpoint_age_s = self._committer.age_s()
        error = next((b.retrying for b in self._all_branches if b.retrying), None)
        error = error or self._committer.retrying or next(iter(self._read_errors.values()), None)
        if error:
            progress.last_error = str(error)
        if progress.state in ("running", "retrying"):
            progress.state = "retrying" if error else "running"
        return progress

    @property
    def _pending(self) -> int:
        return self._ledger.pending_records + sum(branch.uncommitted for branch in self._all_branches)

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
                    _, readers = await asyncio.wait(readers, timeout=None if entry.complete else _DISCOVERY_S)
                    if not readers:
                        return
                elif entry.complete:
                    return
                else:  # nothing there yet: a pattern that no topic matches so far
                    await self._clock.sleep(_DISCOVERY_S)
                found = await self._partitions(entry)

    async def _partitions(self, entry: Input) -> Sequence[PartitionId]:
        async def attempt() -> Sequence[PartitionId]:
            try:
                with located(entry.path):
                    return await entry.source.partitions()
            except UnavailableError as exc:  # it was there at the start: what is away now may come back
                raise RetryableError(exc.code, exc.message, path=exc.path, hint=exc.hint) from exc

        return await self._patiently(PartitionKey(entry.name, PartitionId("*")), attempt)

    async def _read_partition(self, entry: Input, partition: PartitionId, slots: asyncio.Semaphore) -> None:
        key = PartitionKey(entry.name, partition)
        async with slots:
            resume = self._committer.position(key, entry.source.fingerprint(), entry.path)
            reader = await self._open_reader(entry, key, resume)
            self._readers[key] = self._reading[key] = reader
            try:
                if resume is not None:
                    await reader.release(resume)  # a crash may have come between the checkpoint and its release
                await self._pump(entry, key, reader, begun=resume is not None)
                entry.progress.ended += 1
            finally:
                del self._reading[key]  # it stays in _readers until what it gave is released
                self._read_errors.pop(key, None)
                await to_the_end(reader.close())

    async def _open_reader(self, entry: Input, key: PartitionKey, resume: Position | None) -> Reader:
        async def attempt() -> Reader:
            with located(entry.path):
                return await entry.source.open(key.partition, resume)

        return await self._patiently(key, attempt)

    async def _pump(self, entry: Input, key: PartitionKey, reader: Reader, *, begun: bool) -> None:
        async def attempt() -> Batch | None:
            with located(entry.path):
                return await reader.read(self._limit(entry.stage, entry.throttles))

        turn = 0
        while (batch := await self._patiently(key, attempt)) is not None:
            read_at = self._clock.monotonic()
            for throttle in entry.throttles:
                entry.progress.held_up_s += await throttle.wait(len(batch.records), size_of(batch.records))
            waited = await self._waited_for(entry, key, batch) if entry.stage.waits else None
            while not self._open.is_set():
                await self._open.wait()
            self._dispatch(entry, key, batch, read_at, waited or entry.stage.run(batch))
            if not begun:
                begun = True
                if not batch.records:  # it only tells where the partition begins: a restart must begin there, too (I2)
                    await self._checkpointing.next()
            turn += _BATCH_COST + len(batch.records)
            if turn >= _TURN:  # a source that never has to wait must not keep everybody else from running
                await asyncio.sleep(0)
                turn = 0

    async def _waited_for(self, entry: Input, key: PartitionKey, batch: Batch) -> StageResult:
        async def attempt() -> StageResult:
            return await entry.stage.run_waiting(batch)

        return await self._patiently(key, attempt)

    async def _patiently(self, key: PartitionKey, attempt: Callable[[], Awaitable[T]]) -> T:
        result = await self._job.persist(attempt, functools.partial(self._read_failed, key))
        if self._read_errors:
            self._read_errors.pop(key, None)
        return result

    def _read_failed(self, key: PartitionKey, error: RetryableError, wait_s: float) -> None:
        self._read_errors[key] = error
        log.warning(
            "source_retry",
            source=key.source,
            partition=key.partition,
            code=error.code,
            error=error.message,
            wait_s=round(wait_s, 3),
        )

    def _limit(self, stage: Stage, throttles: Sequence[Throttle]) -> ReadLimit:
        """Limit what the readers hold together: each may have one batch in hand when too much is pending (I8)."""
        batch, readers = self._spec.batch, sum(entry.readers for entry in self._inputs)
        most = batch.max_records if stage.max_records is None else min(stage.max_records, batch.max_records)
        paced = [branch.target for branch in self._branches if not branch.sheds]
        records = min([most, *paced, *_known(t.max_records for t in throttles)])
        size = max(_FEWEST_BYTES, min(batch.max_bytes.bytes, self._max_bytes // readers))
        return ReadLimit(
            min(records, max(_FEWEST_RECORDS, batch.max_records * _HELD_BATCHES // readers)),
            min([size, *_known(t.max_bytes for t in throttles)]),
        )

    def _dispatch(self, entry: Input, key: PartitionKey, batch: Batch, read_at: float, result: StageResult) -> None:
        size = size_of(batch.records)
        entry.progress.read += len(batch.records)
        entry.progress.bytes += size
        if self._account:
            self._account.read(len(batch.records))
        self._progress.filtered += result.filtered
        ticket = self._ledger.track(key, batch.position, read_at, len(batch.records), size)
        self._idle.clear()
        for branch, output in zip(self._branches, result.outputs, strict=True):
            if output.records:
                branch.put(ticket, entry.name, output, batch)
        if self._tap and not self._tap(entry.name, result.outputs):
            self._tap = None
        if result.failures:
            rejected = [Rejected(batch.records[index], error) for index, error in result.failures]
            self._rejects.reject(ticket, entry.name, batch, rejected)
        self._ledger.settle(ticket)
        if self._full():
            self._shut()
        self.settled()

    def _full(self) -> bool:
        """Say whether there is no room, once the branches that let go rather than hold up others have done so."""
        if self._has_room():
            return False
        for branch in self._branches:
            branch.shed_own(self._has_room)
        for branch in self._branches:
            branch.shed_shared(self._has_room)
        return not self._has_room()

    def _has_room(self) -> bool:
        return self._ledger.pending_records < self._max_records and self._ledger.pending_bytes < self._max_bytes

    async def _keep_open(self) -> None:
        """Look again for what sinks that shed can let go by now."""
        while True:
            await self._clock.sleep(SHED_AFTER_S)
            if not self._open.is_set():
                self.settled()

    def _shut(self) -> None:
        """Dispatch nothing until `settled` opens up again; no branch need wait for more to come."""
        if self._open.is_set():
            self._open.clear()
            for branch in self._all_branches:
                branch.flush()

    async def _release(self, covered: Mapping[PartitionKey, Position]) -> None:
        """Tell the sources what a committed checkpoint covers, and nothing else (I1)."""
        for key, position in covered.items():
            if reader := self._readers.get(key):
                await reader.release(position)
        for key in [key for key in self._readers if not (key in self._reading or self._ledger.outstanding(key))]:
            del self._readers[key]

    # ending

    async def _drain(self, stop: asyncio.Event) -> None:
        """Let everything pending settle and commit it. Once `stop` is set, do what can be done in 30 s."""
        for branch in self._all_branches:
            branch.flush()
        settled = await within(stop, _SETTLE_S, self._idle.wait())
        committed = False
        if settled or not self._committer.transactional:
            committed = await within(stop, _LAST_COMMIT_S, self._checkpointing.last())
        if not (settled and committed):
            log.warning("stopped_too_early", uncommitted=self._pending, note="it is read again at the next start")

    async def _watchdog(self) -> None:
        """Report a task that has work and moves none of it."""
        before = (-1, -1)
        patience_s = _WATCHDOG_S + self._spec.batch.max_wait.s
        while True:
            await self._clock.sleep(patience_s)
            now = (self._progress.read, self._progress.written)
            if now == before and self._ledger.pending_records:
                log.warning("no_progress", pending=self._ledger.pending_records, for_s=patience_s)
            before = now


def _known(values: Iterable[int | None]) -> list[int]:
    return [value for value in values if value is not None]
