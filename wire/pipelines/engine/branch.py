"""One sink's way: a queue of batches, gathered into writes, written in order, retried until durable.

Enforces I2 from the sink's side: a ticket is settled only after its records are durable here or taken over as dead
letters. The queue is bounded by the ledger: nothing is dispatched while too much is pending (I8).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence

import structlog
from msgspec import Struct

from wire.core.errors import FatalError, RetryableError, WireError
from wire.core.ports import Counting, Failure, TransactionalWriter, Writer
from wire.core.records import Batch, Record
from wire.pipelines.engine.dead_letters import Rejected, RejectPolicy
from wire.pipelines.engine.ledger import Ticket
from wire.pipelines.engine.progress import SinkProgress
from wire.pipelines.engine.run import Run
from wire.pipelines.engine.sizer import BatchSizer
from wire.pipelines.located import located

log = structlog.get_logger()


class Item(Struct, eq=False):
    """One batch for this sink, or part of one; it holds its ticket.

    `origin` is the batch the source gave, `at` when it was queued (the loop's time), `attempts` how often it was part
    of a write.
    """

    ticket: Ticket
    source: str
    batch: Batch
    origin: Batch
    size: int
    at: float
    attempts: int = 0


class Failed(Struct, eq=False):
    """What is left of a write to be written again; `number` rises with every write."""

    number: int
    items: list[Item]
    error: RetryableError


class Branch:
    """Feeds one writer. `put` is called from the dispatcher, `run` is the branch's own task."""

    def __init__(
        self,
        run: Run,
        writer: Writer | TransactionalWriter,
        *,
        transactional: bool,
        path: str,
        settled: Callable[[], None],
        rejects: RejectPolicy,
        progress: SinkProgress,
    ) -> None:
        """Feed `writer`, of the sink at `path`; tell `settled` whenever tickets were settled.

        What a `transactional` one is given takes effect with the next checkpoint, which covers just that.
        """
        self._writer = writer
        self._path = path
        self._spec = run.spec.batch
        self._clock = run.clock
        self._ledger = run.ledger
        self._sizer = BatchSizer(self._spec.max_records)
        self._backoff = run.backoff()
        self._settled = settled
        self._rejects = rejects
        self._progress = progress
        self._progress.counts = writer.counts if isinstance(writer, Counting) else {}
        self._transactional = transactional
        self._sealed: int | None = None
        self.begun = 0
        """The newest batch of which a transaction may have a part, by its ticket's number."""
        self._max_in_flight = getattr(writer, "max_in_flight", 1)  # a TransactionalWriter takes one write at a time
        self._queue: deque[Item] = deque()
        self._queued_records = 0
        self._queued_bytes = 0
        self._in_flight = 0
        self._failed: list[Failed] = []
        self._error: RetryableError | None = None
        self._writes = 0
        self._flushes = 0
        self._uncommitted = (0, 0)
        self._oldest_at: float | None = None
        self._wake = asyncio.Event()

    @property
    def target(self) -> int:
        """The batch size aimed at, in records."""
        return self._sizer.target if self._spec.adaptive else self._spec.max_records

    @property
    def retrying(self) -> WireError | None:
        """The error behind what is being tried again, None when nothing is."""
        return self._error

    @property
    def uncommitted(self) -> int:
        """Records a transactional writer has taken that no commit covers yet."""
        return self._uncommitted[0]

    @property
    def uncommitted_bytes(self) -> int:
        """Their size."""
        return self._uncommitted[1]

    def put(self, ticket: Ticket, source: str, batch: Batch, origin: Batch) -> None:
        """Queue a batch and hold its ticket until all its records are done with."""
        size = size_of(batch.records)
        self._ledger.hold(ticket, size)
        item = Item(ticket, source, batch, origin, size, asyncio.get_running_loop().time())
        if self._queue and ticket.number < self._queue[-1].ticket.number:  # another sink rejects what is older
            self._queue.insert(bisect_right(self._queue, ticket.number, key=_number), item)
        else:
            self._queue.append(item)
        self._queued_records += len(batch.records)
        self._queued_bytes += size
        self._wake.set()

    def flush(self) -> None:
        """Stop waiting for company until `hold_back` is called as often: somebody waits for what is queued."""
        self._flushes += 1
        self._wake.set()

    def hold_back(self) -> None:
        """Gather batches again as configured."""
        self._flushes -= 1

    def seal(self, number: int) -> None:
        """Write what belongs to batches up to `number` without waiting for company, until `unseal` is called.

        Where the writer is transactional nothing newer is written meanwhile.
        """
        self._sealed = number
        self._wake.set()

    def unseal(self) -> None:
        """Go on with what is newer."""
        self._sealed = None
        self._wake.set()

    def committed(self) -> None:
        """Learn that everything written so far is covered by a stored checkpoint."""
        (records, size), self._uncommitted = self._uncommitted, (0, 0)
        self._progress.written += records
        self._progress.bytes += size
        if records and self._oldest_at is not None:
            self._progress.deliveries.observe(self._clock.monotonic() - self._oldest_at)
        self._oldest_at = None

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
                    await self._back_off()
                else:
                    self._in_flight += 1
                    self._writes += 1
                    tasks.create_task(self._attempt(self._writes, self._gather()))

    # when to write

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
        if self._failed:  # order is kept: what failed goes again before anything newer
            return 0 if not self._in_flight else None
        recovering = self._backoff.attempts > 0
        if not self._queue or self._in_flight >= (1 if recovering else self._max_in_flight):
            return None
        if self._sealed is not None:
            if self._queue[0].ticket.number <= self._sealed:
                return 0
            if self._transactional:
                return None
        full = self._queued_records >= self.target or self._queued_bytes >= self._spec.max_bytes.bytes
        idle = self._spec.adaptive and not self._in_flight
        if full or idle or recovering or self._flushes:
            return 0
        return self._queue[0].at + self._spec.max_wait.s - asyncio.get_running_loop().time()

    async def _back_off(self) -> None:
        """Wait, then put what failed into the queue again, in its order, to be gathered anew."""
        self._failed.sort(key=lambda failed: failed.number)
        items = [item for failed in self._failed for item in failed.items]
        error = max((failed.error for failed in self._failed), key=lambda error: error.after_s)
        wait_s = self._backoff.next_s(error)
        log.warning(
            "sink_retry", sink=self._progress.name, code=error.code, error=error.message, wait_s=round(wait_s, 3)
        )
        await self._clock.sleep(wait_s)
        self._progress.retried += sum(len(item.batch.records) for item in items)
        self._failed.clear()
        self._queue = deque(sorted((*items, *self._queue), key=_number))
        self._queued_records += sum(len(item.batch.records) for item in items)
        self._queued_bytes += sum(item.size for item in items)

    # the queue

    def _gather(self) -> list[Item]:
        items: list[Item] = []
        records, size = self.target, self._spec.max_bytes.bytes
        while self._queue:
            item = self._queue[0]
            if self._transactional and self._sealed is not None and item.ticket.number > self._sealed:
                break
            if len(item.batch.records) > records or item.size > size:
                if items:
                    break
                self._split_first(records, size)
                item = self._queue[0]
            self._queue.popleft()
            items.append(item)
            if self._transactional:
                self.begun = max(self.begun, item.ticket.number)
            records -= len(item.batch.records)
            size -= item.size
            self._queued_records -= len(item.batch.records)
            self._queued_bytes -= item.size
        return items

    def _split_first(self, records: int, size: int) -> None:
        """Cut the first item into parts that fit into a write: the size aimed at may have shrunk since it was read."""
        item = self._queue.popleft()
        parts = [_part(item, part) for part in _cut(item.batch.records, records, size)]
        for _ in parts[1:]:
            self._ledger.hold(item.ticket)
        self._queue.extendleft(reversed(parts))

    # writing

    async def _attempt(self, number: int, items: list[Item]) -> None:
        started = self._clock.monotonic()
        for item in items:
            item.attempts += 1
        try:
            with located(self._path):
                failures = await self._writer.write([item.batch for item in items])
        except RetryableError as exc:
            self._again(Failed(number, items, exc))
        else:
            self._took(items, self._clock.monotonic() - started)
            self._judge(number, items, failures)
        finally:
            self._in_flight -= 1
            self._wake.set()

    def _again(self, failed: Failed) -> None:
        self._failed.append(failed)
        self._error = failed.error
        self._sizer.refused()

    def _took(self, items: list[Item], seconds: float) -> None:
        self._sizer.wrote(sum(len(item.batch.records) for item in items), seconds)
        self._progress.writes.observe(seconds)
        oldest_at = min(item.ticket.read_at for item in items)
        self._oldest_at = oldest_at if self._oldest_at is None else min(oldest_at, self._oldest_at)
        before = self._progress.latency_ms or seconds * 1000
        self._progress.latency_ms = before + (seconds * 1000 - before) * 0.1

    def _judge(self, number: int, items: list[Item], failures: Sequence[Failure]) -> None:
        by_item: dict[int, list[Failure]] = {}
        for failure in failures:
            by_item.setdefault(failure.batch, []).append(failure)
        try:
            left = [part for index, item in enumerate(items) for part in self._settle(item, by_item.get(index, ()))]
        finally:  # what was taken counts, though a verdict after it stops the pipeline
            if not self._transactional:
                self.committed()
        errors = [failure.error for failure in failures if isinstance(failure.error, RetryableError)]
        if errors:
            self._again(Failed(number, left, max(errors, key=lambda error: error.after_s)))
            return
        self._backoff.reset()
        if not self._failed:
            self._error = None

    def _settle(self, item: Item, failures: Sequence[Failure]) -> list[Item]:
        """Act on the verdicts on an item's records; return what of it is to be written again, if anything."""
        if not failures:
            self._done(item, len(item.batch.records), item.size)
            return []
        bad = {failure.record for failure in failures}
        again = sorted({failure.record for failure in failures if isinstance(failure.error, RetryableError)})
        self._reject(item, [failure for failure in failures if not isinstance(failure.error, RetryableError)])
        records = item.batch.records
        taken, size = len(records) - len(bad), item.size - size_of([records[index] for index in bad])
        if again:
            self._count(taken, size)
            return [_part(item, again)]
        self._done(item, taken, size)
        return []

    def _done(self, item: Item, records: int, size: int) -> None:
        self._count(records, size)
        self._ledger.settle(item.ticket)
        self._settled()

    def _reject(self, item: Item, failures: Sequence[Failure]) -> None:
        if not failures:
            return
        for failure in failures:
            failure.error.path = failure.error.path or self._path
        if fatal := next((f.error for f in failures if isinstance(f.error, FatalError)), None):
            raise fatal
        originals = {_identity(record): record for record in item.origin.records}
        rejected = [
            Rejected(originals.get(_identity(record), record), f.error, item.attempts)
            for f in failures
            for record in (item.batch.records[f.record],)
        ]
        self._rejects.reject(item.ticket, item.source, item.origin, rejected)

    def _count(self, records: int, size: int) -> None:
        self._uncommitted = (self._uncommitted[0] + records, self._uncommitted[1] + size)


def _part(item: Item, indices: Sequence[int]) -> Item:
    batch = item.batch.take(indices)
    return Item(item.ticket, item.source, batch, item.origin, size_of(batch.records), item.at, item.attempts)


def _number(item: Item) -> int:
    return item.ticket.number


def _cut(records: Sequence[Record], most: int, max_bytes: int) -> list[range]:
    """Return which records go together so that each part is as large as allowed, and has at least one."""
    parts, start, size = [], 0, 0
    for index, record in enumerate(records):
        size += len(record.value or b"")
        if index > start and (index - start >= most or size > max_bytes):
            parts.append(range(start, index))
            start, size = index, len(record.value or b"")
    return [*parts, range(start, len(records))]


def _identity(record: Record) -> tuple[int, int]:
    """Return what a record shares with the one it was made of, and with no other.

    Records may share an offset, even with an equal key; but a stage hands on the very key that the source made.
    """
    return record.offset, id(record.key)


def size_of(records: Sequence[Record]) -> int:
    """Return the bytes of the records' values."""
    try:
        return sum([len(record.value) for record in records])  # type: ignore[arg-type, misc]  # tombstones are rare
    except TypeError:
        return sum(len(record.value or b"") for record in records)
