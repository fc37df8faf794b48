"""One sink's way: a queue of batches, gathered into writes, written in order, retried until durable.

Enforces I2 from the sink's side: a ticket is settled only after its records are durable here or taken over as dead
letters. The queue is bounded by the ledger: nothing is dispatched while too much is pending (I8).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from wire.core.errors import FatalError, RetryableError, WireError
from wire.core.ports import Counting, Failure, TransactionalWriter, Writer
from wire.core.records import Batch
from wire.pipelines.engine.breaker import Breaker
from wire.pipelines.engine.ledger import Ticket
from wire.pipelines.engine.progress import SinkProgress
from wire.pipelines.engine.queue import Item, Queue, size_of
from wire.pipelines.engine.rejecting import RejectPolicy, as_rejected
from wire.pipelines.engine.retry import Backoff, exhausted
from wire.pipelines.engine.run import Run
from wire.pipelines.engine.sizer import BatchSizer
from wire.pipelines.engine.throttle import Throttle
from wire.pipelines.located import located
from wire.pipelines.spec import SinkSpec

log = structlog.get_logger()

SHED_AFTER_S: Final = 0.1
"""What has just come is not dropped: who is quick writes it before it holds up anybody."""


class Branch:
    """Feeds one writer. `put` is called from the dispatcher, `run` is the branch's own task."""

    def __init__(
        self,
        run: Run,
        writer: Writer | TransactionalWriter,
        feed: SinkSpec,
        *,
        transactional: bool,
        path: str,
        settled: Callable[[], None],
        rejects: RejectPolicy,
        progress: SinkProgress,
    ) -> None:
        """Feed `writer`, of the sink at `path`, as `feed` says; tell `settled` whenever tickets were settled.

        What a `transactional` one is given takes effect with the next checkpoint, which covers just that.
        """
        self._writer = writer
        self._path = path
        self._spec = run.spec.batch
        self._clock = run.clock
        self._ledger = run.ledger
        self._sizer = BatchSizer(self._spec.max_records)
        self._throttle = Throttle(feed.rate_limit, run.tasks, run.clock)
        self._backoff = run.backoff() if feed.retry is None else Backoff(feed.retry, run.rng, f"{path}.retry")
        self._limit = self._backoff.limit if rejects.last_resort else self._backoff.limit_of_record
        rules = (feed.retry or run.spec.retry).rules
        self._gives_up = not rejects.last_resort and any(rule.then == "reject" for rule in rules)
        self._breaker = Breaker(feed.breaker, progress.name)
        self.sheds = feed.buffer is not None and feed.buffer.when_full == "shed"
        """Whether it lets go of what waits here rather than hold up others."""
        self._max_age_s = feed.buffer.max_age.s if feed.buffer else 0.0
        self._settled = settled
        self._rejects = rejects
        self._progress = progress
        self._progress.counts = writer.counts if isinstance(writer, Counting) else {}
        self._transactional = transactional
        self._sealed: int | None = None
        self.begun = 0
        """The newest batch of which a transaction may have a part, by its ticket's number."""
        self._max_in_flight = getattr(writer, "max_in_flight", 1)  # a TransactionalWriter takes one write at a time
        self._queue = Queue(self._hold)
        self._in_flight = 0
        self._failures: list[RetryableError] = []
        self._error: RetryableError | None = None
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
        return self._error if self._in_flight or self._queue.first is not None else None

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
        self._hold(ticket, size)
        self._queue.put(Item(ticket, source, batch, origin, size, asyncio.get_running_loop().time()))
        self._wake.set()

    def shed_own(self, has_room: Callable[[], bool]) -> None:
        """Drop what waits here and nobody else holds, the oldest first, until there is room, if this sink sheds.

        Whoever asks for room sees by himself what is settled by that.
        """
        held = Counter(id(item.ticket) for item in self._queue) if self.sheds else {}
        self._shed(has_room, lambda item: item.ticket.open == held[id(item.ticket)])

    def shed_shared(self, has_room: Callable[[], bool]) -> None:
        """Do so with what only sinks hold that shed."""
        self._shed(has_room, lambda item: item.held_loosely)

    def _shed(self, has_room: Callable[[], bool], droppable: Callable[[Item], bool]) -> None:
        since = asyncio.get_running_loop().time() - SHED_AFTER_S
        for item in self._queue if self.sheds else ():
            if has_room() or item.at > since:
                return
            if droppable(item):
                self._drop(item)

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
        self._progress.queued = self._queue.records
        self._progress.in_flight = self._in_flight
        self._progress.target = self.target
        self._progress.breaker = self._breaker.state

    async def run(self) -> None:
        """Write what is queued, for ever. Ends by cancellation or by raising the FatalError that stops the pipeline."""
        async with asyncio.TaskGroup() as tasks:
            if self.sheds:
                tasks.create_task(self._drop_old())
            while True:
                await self._until_due()
                if self._failures:
                    await self._back_off()
                else:
                    self._in_flight += 1
                    tasks.create_task(self._attempt(self._gather()))

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
        if self._failures:  # order is kept: what failed goes again before anything newer
            return 0 if not self._in_flight else None
        recovering = self._backoff.attempts > 0
        first = self._queue.first
        if first is None or self._in_flight >= (1 if recovering else self._max_in_flight):
            return None
        if self._sealed is not None:
            if first.ticket.number <= self._sealed:
                return 0
            if self._transactional:
                return None
        full = self._queue.records >= self._at_once or self._queue.bytes >= self._spec.max_bytes.bytes
        idle = self._spec.adaptive and not self._in_flight
        if full or idle or recovering or self._flushes:
            return 0
        return first.at + self._spec.max_wait.s - asyncio.get_running_loop().time()

    async def _back_off(self) -> None:
        """Wait until what failed, which is in the queue again, may be gathered anew."""
        error = max(self._failures, key=lambda error: error.after_s)
        wait_s = self._breaker.pause_s(self._backoff.wait_s(error))
        log.warning(
            "sink_retry", sink=self._progress.name, code=error.code, error=error.message, wait_s=round(wait_s, 3)
        )
        await self._clock.sleep(wait_s)
        self._breaker.paused()
        self._failures.clear()

    @property
    def _at_once(self) -> int:
        """The most records of a write."""
        return min(self.target, self._throttle.max_records or self.target)

    def _gather(self) -> list[Item]:
        probes = self._breaker.state == "half_open" and not self._gives_up  # else it would give up one by one
        records = 1 if probes else self._at_once
        size = min(self._spec.max_bytes.bytes, self._throttle.max_bytes or self._spec.max_bytes.bytes)
        items = self._queue.gather(records, size, self._sealed if self._transactional else None)
        if self._transactional:
            self.begun = max(self.begun, *(item.ticket.number for item in items))
        return items

    async def _drop_old(self) -> None:
        """Drop, again and again, what has waited for too long and is held by sinks only that shed."""
        while True:
            await self._clock.sleep(self._max_age_s / 4)
            since = asyncio.get_running_loop().time() - self._max_age_s
            if old := [item for item in self._queue if item.at < since and item.held_loosely]:
                for item in old:
                    self._drop(item)
                self._settled()

    def _drop(self, item: Item) -> None:
        self._queue.remove(item)
        self._progress.shed += len(item.batch.records)
        self._let_go(item.ticket)

    # tickets

    def _hold(self, ticket: Ticket, size: int = 0) -> None:
        self._ledger.hold(ticket, size)
        ticket.loose += self.sheds

    def _let_go(self, ticket: Ticket) -> None:
        ticket.loose -= self.sheds
        self._ledger.settle(ticket)

    # writing

    async def _attempt(self, items: list[Item]) -> None:
        try:
            records, size = sum(len(item.batch.records) for item in items), sum(item.size for item in items)
            self._progress.held_up_s += await self._throttle.wait(records, size)
            started = self._clock.monotonic()
            for item in items:
                item.attempts += 1
            try:
                with located(self._path):
                    failures = await self._writer.write([item.batch for item in items])
            except RetryableError as exc:
                self._progress.breaker_opened += self._breaker.failed()
                self._again([item for item in items if not self._given_up(item, exc)], [exc])
            else:
                self._took(items, self._clock.monotonic() - started)
                self._judge(items, failures)
        finally:
            self._in_flight -= 1
            self._wake.set()

    def _again(self, items: list[Item], errors: Sequence[RetryableError]) -> None:
        """Queue what is left of a write to be written again, in its order."""
        self._sizer.refused()
        self._failures += errors
        self._error = errors[-1]
        self._progress.retried += sum(len(item.batch.records) for item in items)
        self._queue.put_back(items)

    def _given_up(self, item: Item, error: RetryableError) -> bool:
        """Reject an item of which nothing was taken, if it was tried as often as it may be; say whether it was."""
        if not self._used_up(item, error):
            return False
        self._reject(item, [Failure(0, index, error) for index in range(len(item.batch.records))])
        self._done(item, 0, 0)
        return True

    def _used_up(self, item: Item, error: RetryableError) -> bool:
        """Say whether an item is not to be tried again. Raises FatalError where that is the end of all."""
        limit = self._limit(error)
        if limit.attempts is None or item.failures_under(limit.path) < limit.attempts:
            return False
        if limit.then == "fail":
            raise exhausted(error, item.attempts, limit)
        return True

    def _took(self, items: list[Item], seconds: float) -> None:
        self._sizer.wrote(sum(len(item.batch.records) for item in items), seconds)
        self._progress.writes.observe(seconds)
        oldest_at = min(item.ticket.read_at for item in items)
        self._oldest_at = oldest_at if self._oldest_at is None else min(oldest_at, self._oldest_at)
        before = self._progress.latency_ms or seconds * 1000
        self._progress.latency_ms = before + (seconds * 1000 - before) * 0.1

    def _judge(self, items: list[Item], failures: Sequence[Failure]) -> None:
        by_item: dict[int, list[Failure]] = {}
        for failure in failures:
            by_item.setdefault(failure.batch, []).append(failure)
        try:
            left = [part for index, item in enumerate(items) for part in self._settle(item, by_item.get(index, ()))]
        finally:  # what was taken counts, though a verdict after it stops the pipeline
            if not self._transactional:
                self.committed()
        errors = [failure.error for failure in failures if isinstance(failure.error, RetryableError)]
        if len(errors) < sum(len(item.batch.records) for item in items):
            self._breaker.answered()
        else:
            self._progress.breaker_opened += self._breaker.failed()
        if left:
            self._again(left, errors)
            return
        self._backoff.reset()
        if not self._failures:
            self._error = None

    def _settle(self, item: Item, failures: Sequence[Failure]) -> list[Item]:
        """Act on the verdicts on an item's records; return what of it is to be written again, if anything."""
        if not failures:
            self._done(item, len(item.batch.records), item.size)
            return []
        again: list[int] = []
        rejected: list[Failure] = []
        for failure in failures:
            if isinstance(failure.error, RetryableError) and not self._used_up(item, failure.error):
                again.append(failure.record)
            else:
                rejected.append(failure)
        self._reject(item, rejected)
        bad = {failure.record for failure in failures}
        records = item.batch.records
        taken, size = len(records) - len(bad), item.size - size_of([records[index] for index in bad])
        if again:
            self._count(taken, size)
            return [item.part(sorted(set(again)))]
        self._done(item, taken, size)
        return []

    def _done(self, item: Item, records: int, size: int) -> None:
        self._count(records, size)
        self._let_go(item.ticket)
        self._settled()

    def _reject(self, item: Item, failures: Sequence[Failure]) -> None:
        if not failures:
            return
        for failure in failures:
            failure.error.path = _placed(failure.error.path, self._path)
        if fatal := next((f.error for f in failures if isinstance(f.error, FatalError)), None):
            raise fatal
        self._rejects.reject(item.ticket, item.source, item.origin, as_rejected(item, failures))

    def _count(self, records: int, size: int) -> None:
        self._uncommitted = (self._uncommitted[0] + records, self._uncommitted[1] + size)


def _placed(path: str | None, sink: str) -> str:
    """Return where an error is: what a sink says is a field of its configuration, unless it says all of it."""
    return sink if not path else path if path.startswith("$") else f"{sink}.config.{path}"
