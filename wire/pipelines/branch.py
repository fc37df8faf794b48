"""One sink's way: a queue of batches, gathered into writes, written in order, retried until durable.

Enforces I2 from the sink's side: a ticket is settled only after its records are durable here or taken over as dead
letters. The queue is bounded by the ledger: nothing is dispatched while too much is pending (I8).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import structlog
from msgspec import Struct

from wire.core.errors import FatalError, RetryableError, WireError
from wire.core.ports import Failure, TransactionalWriter, Writer
from wire.core.records import Batch, Record
from wire.pipelines.dead_letters import Rejected, RejectPolicy
from wire.pipelines.ledger import Ticket
from wire.pipelines.located import located
from wire.pipelines.progress import SinkProgress
from wire.pipelines.run import Run
from wire.pipelines.sizer import BatchSizer

log = structlog.get_logger()


class Item(Struct, eq=False):
    """One batch for this sink. `origin` is the batch the source gave, `at` when it was queued (monotonic seconds)."""

    ticket: Ticket
    source: str
    batch: Batch
    origin: Batch
    size: int
    at: float


class Write(Struct, eq=False):
    """What goes into one call of the writer; `number` rises in the order of first attempts."""

    number: int
    items: list[Item]
    attempts: int = 0
    error: RetryableError | None = None


class Branch:
    """Feeds one writer. `put` is called from the dispatcher, `run` is the branch's own task."""

    def __init__(
        self,
        run: Run,
        writer: Writer | TransactionalWriter,
        *,
        path: str,
        settled: Callable[[], None],
        rejects: RejectPolicy,
        progress: SinkProgress,
    ) -> None:
        """Feed `writer`, of the sink at `path`; tell `settled` whenever tickets were settled."""
        self.writer = writer
        self._path = path
        self._spec = run.spec.batch
        self._clock = run.clock
        self._ledger = run.ledger
        self._sizer = BatchSizer(self._spec.max_records)
        self._backoff = run.backoff()
        self._settled = settled
        self._rejects = rejects
        self._progress = progress
        self._max_in_flight = getattr(writer, "max_in_flight", 1)  # a TransactionalWriter takes one write at a time
        self._queue: deque[Item] = deque()
        self._queued_records = 0
        self._queued_bytes = 0
        self._in_flight = 0
        self._failed: list[Write] = []
        self._numbers = 0
        self._flushing = False
        self._wake = asyncio.Event()

    @property
    def target(self) -> int:
        """The batch size aimed at, in records."""
        return self._sizer.target if self._spec.adaptive else self._spec.max_records

    @property
    def retrying(self) -> WireError | None:
        """The error behind what is being tried again, None when nothing is."""
        return self._failed[0].error if self._failed else None

    def put(self, ticket: Ticket, source: str, batch: Batch, origin: Batch) -> None:
        """Queue a batch and hold its ticket until all its records are done with."""
        self._ledger.hold(ticket)
        size = size_of(batch.records)
        self._queue.append(Item(ticket, source, batch, origin, size, self._clock.monotonic()))
        self._queued_records += len(batch.records)
        self._queued_bytes += size
        self._wake.set()

    def flush(self) -> None:
        """Stop waiting for company until `hold_back` is called: a checkpoint or the end waits for what is queued."""
        self._flushing = True
        self._wake.set()

    def hold_back(self) -> None:
        """Gather batches again as configured."""
        self._flushing = False

    def update_progress(self) -> None:
        """Bring the gauges of this branch's progress up to date."""
        self._progress.queued = self._queued_records
        self._progress.in_flight = self._in_flight
        self._progress.target = self.target

    async def run(self) -> None:
        """Write what is queued, for ever. Ends by cancellation or by raising the FatalError that stops the pipeline."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._until_due()
                if self._failed:
                    await self._retry()
                else:
                    self._in_flight += 1
                    tasks.create_task(self._attempt(self._gather()))

    async def _until_due(self) -> None:
        while True:
            self._wake.clear()
            wait_s = self._wait_s()
            if wait_s is not None and wait_s <= 0:
                return
            timer = None
            if wait_s is not None:
                timer = asyncio.get_running_loop().call_later(wait_s, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                if timer:
                    timer.cancel()

    def _wait_s(self) -> float | None:
        """Return the seconds until something is to be done, None when only an event can tell."""
        if self._failed:  # order is kept: what failed goes again, alone, before anything newer
            return 0 if not self._in_flight else None
        if not self._queue or self._in_flight >= self._max_in_flight:
            return None
        full = self._queued_records >= self.target or self._queued_bytes >= self._spec.max_bytes.bytes
        idle = self._spec.adaptive and not self._in_flight
        if full or idle or self._flushing:
            return 0
        return self._queue[0].at + self._spec.max_wait.s - self._clock.monotonic()

    def _gather(self) -> Write:
        items: list[Item] = []
        records = size = 0
        while self._queue:
            item = self._queue[0]
            too_many = records + len(item.batch.records) > self.target
            if items and (too_many or size + item.size > self._spec.max_bytes.bytes):
                break
            items.append(self._queue.popleft())
            records += len(item.batch.records)
            size += item.size
        self._queued_records -= records
        self._queued_bytes -= size
        self._numbers += 1
        return Write(self._numbers, items)

    async def _attempt(self, write: Write) -> None:
        started = self._clock.monotonic()
        write.attempts += 1
        try:
            with located(self._path):
                failures = await self.writer.write([item.batch for item in write.items])
        except RetryableError as exc:
            write.error = exc
            self._failed.append(write)
            self._sizer.refused()
        else:
            self._took(write, self._clock.monotonic() - started)
            self._judge(write, failures)
        finally:
            self._in_flight -= 1
            self._wake.set()

    async def _retry(self) -> None:
        """Write again what failed, oldest first, one at a time, until all of it is done with."""
        self._failed.sort(key=lambda write: write.number)
        while self._failed:
            write = self._failed[0]
            error = write.error or RetryableError("sink.retry")
            wait_s = self._backoff.next_s(error)
            self._progress.retried += sum(len(item.batch.records) for item in write.items)
            log.warning(
                "sink_retry", sink=self._progress.name, code=error.code, error=error.message, wait_s=round(wait_s, 3)
            )
            await self._clock.sleep(wait_s)
            self._failed.pop(0)
            later, self._failed = self._failed, []
            self._in_flight += 1
            await self._attempt(write)
            self._failed += later

    def _took(self, write: Write, seconds: float) -> None:
        self._sizer.wrote(sum(len(item.batch.records) for item in write.items), seconds)
        self._progress.latency_ms += (seconds * 1000 - self._progress.latency_ms) * 0.1

    def _judge(self, write: Write, failures: Sequence[Failure]) -> None:
        if not failures:
            self._backoff.reset()
            for item in write.items:
                self._done(item, len(item.batch.records), item.size)
            return
        by_item: dict[int, list[Failure]] = {}
        for failure in failures:
            by_item.setdefault(failure.batch, []).append(failure)
        again: list[Item] = []
        for index, item in enumerate(write.items):
            verdicts = by_item.get(index, [])
            retry = [v.record for v in verdicts if isinstance(v.error, RetryableError)]
            poison = [v for v in verdicts if not isinstance(v.error, RetryableError)]
            self._reject(item, poison, write.attempts)
            bad = {v.record for v in verdicts}
            good = [record for i, record in enumerate(item.batch.records) if i not in bad]
            if retry:
                again.append(self._remainder(item, retry))
                self._count(len(good), size_of(good))
            else:
                self._done(item, len(good), size_of(good))
        if again:
            error = next(f.error for f in failures if isinstance(f.error, RetryableError))
            self._failed.append(Write(write.number, again, write.attempts, error))
            self._sizer.refused()
        else:
            self._backoff.reset()

    def _remainder(self, item: Item, indices: list[int]) -> Item:
        batch = item.batch.take(sorted(indices))
        return Item(item.ticket, item.source, batch, item.origin, size_of(batch.records), item.at)

    def _reject(self, item: Item, failures: Sequence[Failure], attempts: int) -> None:
        if not failures:
            return
        for failure in failures:
            failure.error.path = failure.error.path or self._path
        if fatal := next((f.error for f in failures if isinstance(f.error, FatalError)), None):
            raise fatal
        originals = {record.offset: record for record in item.origin.records}
        rejected = [Rejected(_original(originals, item.batch.records[f.record]), f.error, attempts) for f in failures]
        self._rejects.reject(item.ticket, item.source, item.origin, rejected)

    def _done(self, item: Item, records: int, size: int) -> None:
        self._count(records, size)
        self._ledger.settle(item.ticket)
        self._settled()

    def _count(self, records: int, size: int) -> None:
        self._progress.written += records
        self._progress.bytes += size


def _original(originals: dict[int, Record], record: Record) -> Record:
    return originals.get(record.offset, record)


def size_of(records: Sequence[Record]) -> int:
    """Return the bytes of the records' values."""
    try:
        return sum([len(record.value) for record in records])  # type: ignore[arg-type, misc]  # tombstones are rare
    except TypeError:
        return sum(len(record.value or b"") for record in records)
