"""A source and two sinks held in memory, with scripted faults, for tests of whatever stands between them.

Each object is the outside world as well as the connector: it outlives the task that uses it, so a test crashes a
task, starts another on the same objects, and looks at what arrived.
"""

from __future__ import annotations

import abc
import asyncio
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import Struct

from wire.core.clock import Clock, SystemClock
from wire.core.errors import FatalError, FencedError, RetryableError, WireError
from wire.core.formats import Format, JsonFormat
from wire.core.ports import Failure, Guarantee, Lag, ReadLimit, TaskId
from wire.core.records import Batch, Checkpoint, Fingerprint, PartitionId, Position, Record
from wire.testing.faults import Play, Raise, Reject, Step


class Mark(enum.Enum):
    """What a `MemorySource`'s script may hold besides records."""

    EOF = "the input ends here; the next open goes on behind it"
    ABORT = "the read that gets here raises RetryableError, once"
    GAP = "a place without a record: a batch without records moves the position over it"


EOF: Final = Mark.EOF
ABORT: Final = Mark.ABORT
GAP: Final = Mark.GAP
POISON: Final = b'{"poison": \xff'
"""A record that no format can decode."""

Item = bytes | Record | Mark | WireError
"""One entry of a script: a value, a whole record, a mark, or an error that is raised once when a read gets there."""


def size_of(record: Record) -> int:
    """Return the bytes of a record's key and value, which is what `ReadLimit.max_bytes` counts."""
    return len(record.value or b"") + len(record.key or b"")


class MemorySource:
    """Partitions that are lists. A position is the index of the next item; an item's index is its record's offset.

    What was released is gone, as at a source that prunes: opening a position before it raises FatalError. Read
    `released` to see who was told what, in order (I1).
    """

    max_readers: int | None = None

    def __init__(
        self,
        partitions: Mapping[str, Iterable[Item]],
        *,
        bounded: bool = True,
        name: str = "memory",
        format: Format | None = None,
    ) -> None:
        """Make a source. If not `bounded`, its readers wait at the end for `append`."""
        self.format: Format = format or JsonFormat()
        self.bounded = bounded
        self.name = name
        self.released: list[tuple[PartitionId, Position]] = []
        self.items: dict[PartitionId, list[Item]] = {PartitionId(p): list(items) for p, items in partitions.items()}
        self._spent: set[tuple[PartitionId, int]] = set()
        self._more = asyncio.Condition()

    async def append(self, partition: str, *items: Item) -> None:
        """Add items at the end of a partition, which is made if it isn't there."""
        async with self._more:
            self.items.setdefault(PartitionId(partition), []).extend(items)
            self._more.notify_all()

    def pruned(self, partition: str) -> int:
        """Return the index below which everything was released."""
        return max((int(position) for p, position in self.released if p == partition), default=0)

    def fingerprint(self) -> Fingerprint:  # noqa: D102 (contract in Source)
        return Fingerprint(f"memory:{self.name}".encode())

    async def partitions(self) -> Sequence[PartitionId]:  # noqa: D102 (contract in Source)
        return list(self.items)

    async def open(self, partition: PartitionId, resume: Position | None) -> MemoryReader:  # noqa: D102 (contract in Source)
        start = self.pruned(partition) if resume is None else int(resume)
        if partition not in self.items or start < self.pruned(partition):
            raise FatalError("memory.position_lost", f"{partition} no longer holds position {start}")
        return MemoryReader(self, partition, start)

    async def close(self) -> None:  # noqa: D102 (contract in Source)
        return

    def spend(self, partition: PartitionId, index: int) -> bool:
        """Say whether the one-time item at `index` is met for the first time; from now on it isn't."""
        fresh = (partition, index) not in self._spent
        self._spent.add((partition, index))
        return fresh

    async def wait_beyond(self, partition: PartitionId, index: int) -> None:
        """Return once the partition holds an item at `index`."""
        async with self._more:
            await self._more.wait_for(lambda: index < len(self.items[partition]))


class MemoryReader:
    """Reads one list of a `MemorySource`."""

    def __init__(self, source: MemorySource, partition: PartitionId, start: int) -> None:
        """Read `partition` from index `start` on."""
        self._source = source
        self._partition = partition
        self._next = start
        self._ended = False

    async def read(self, limit: ReadLimit) -> Batch | None:  # noqa: D102 (contract in Reader)
        items = self._source.items[self._partition]
        while not self._ended:
            if self._next == len(items):
                if self._source.bounded:
                    break
                await self._source.wait_beyond(self._partition, self._next)
            if (records := self._take(limit)) or items[self._next] is GAP:
                self._next += len(records) or 1
                return Batch(self._partition, Position(b"%d" % self._next), records)
            self._pass_mark(items[self._next])
        return None

    def _take(self, limit: ReadLimit) -> list[Record]:
        records: list[Record] = []
        budget = limit.max_bytes
        for offset in range(self._next, len(self._source.items[self._partition])):
            record = _as_record(self._source.items[self._partition][offset], offset)
            if record is None or len(records) == limit.max_records:
                break
            budget -= size_of(record)
            if records and budget < 0:
                break
            records.append(record)
        return records

    def _pass_mark(self, item: Item) -> None:
        fresh = self._source.spend(self._partition, self._next)
        self._next += 1
        if fresh and isinstance(item, WireError):
            raise item
        if fresh and item is ABORT:
            raise RetryableError("memory.scripted", f"the script says so at {self._partition}[{self._next - 1}]")
        self._ended = fresh and item is EOF

    async def release(self, upto: Position) -> None:  # noqa: D102 (contract in Reader)
        self._source.released.append((self._partition, upto))

    def lag(self) -> Lag:  # noqa: D102 (contract in Reader)
        left = [r for i in self._source.items[self._partition][self._next :] if (r := _as_record(i, 0)) is not None]
        return Lag(records=len(left), bytes=sum(map(size_of, left)))

    async def close(self) -> None:  # noqa: D102 (contract in Reader)
        return


def _as_record(item: Item, offset: int) -> Record | None:
    if isinstance(item, bytes):
        return Record(item, None, 0, (), offset)
    return msgspec.structs.replace(item, offset=offset) if isinstance(item, Record) else None


Refusal = Callable[[Record], WireError | None]
"""A standing rule of a sink: the error with which it always refuses a record, None if it takes it."""


def _apply(batches: Sequence[Batch], step: Raise | Reject | None, refuse: Refusal, log: list[Batch]) -> list[Failure]:
    """Append to `log` what the step lets through. Returns the failures, raises what the step says."""
    failures: list[Failure] = []
    room = step.after if isinstance(step, Raise) else sum(len(batch.records) for batch in batches)
    scripted = step.errors if isinstance(step, Reject) else {}
    for number, batch in enumerate(batches):
        taken: list[int] = []
        for index, record in enumerate(batch.records[:room]):
            error = scripted.get(record.value or b"") or refuse(record)
            if error is None:
                taken.append(index)
            else:
                failures.append(Failure(number, index, error))
        room -= len(batch.records[:room])
        if taken:
            log.append(batch.take(taken))
    if isinstance(step, Raise):
        raise step.error
    return failures


def _take_all(_: Record) -> None:
    return None


class Opening(Struct, frozen=True):
    """With what a sink was opened."""

    task: TaskId
    epoch: int
    recover: Mapping[PartitionId, Checkpoint]


@dataclass(kw_only=True, eq=False)
class _MemorySinkBase(abc.ABC):
    """What both sinks have: what is asked of them, what was, and what consumers see.

    Writes play `script`, opens play `on_open`; what `refuse` refuses is never written.
    """

    script: Iterable[Step] = ()
    on_open: Iterable[Step] = ()
    refuse: Refusal = _take_all
    clock: Clock = field(default_factory=SystemClock)
    format: Format = field(default_factory=JsonFormat)
    carries_headers = True
    openings: list[Opening] = field(default_factory=list, init=False)
    closed: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.writes = Play(self.script, self.clock)
        self._opens = Play(self.on_open, self.clock)

    @abc.abstractmethod
    def batches(self) -> list[Batch]:
        """Return what consumers see, in the order in which it became durable, with the columns it came with."""

    def records(self, partition: str | None = None) -> list[Record]:
        """Return the records consumers see, of one partition or all, in order."""
        return [r for batch in self.batches() if partition in (None, batch.partition) for r in batch.records]

    def values(self, partition: str | None = None) -> list[bytes | None]:
        """Return the values consumers see, of one partition or all, in order."""
        return [record.value for record in self.records(partition)]

    async def _opening(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> None:
        self.openings.append(Opening(task, epoch, dict(recover)))
        await self._opens.step_or_raise()


@dataclass(kw_only=True, eq=False)
class MemorySink(_MemorySinkBase):
    """A list that records are appended to: at least once, durable when `write` returns.

    `peak_in_flight` is the most writes that were ever under way at once.
    """

    max_in_flight: int = 1
    guarantee = Guarantee.AT_LEAST_ONCE
    log: list[Batch] = field(default_factory=list, init=False)
    in_flight: int = field(default=0, init=False)
    peak_in_flight: int = field(default=0, init=False)

    def batches(self) -> list[Batch]:  # noqa: D102 (contract in the base)
        return self.log

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> MemoryWriter:  # noqa: D102 (contract in Sink)
        await self._opening(task, epoch, recover)
        return MemoryWriter(self)


class MemoryWriter:
    """Appends to the list of a `MemorySink`."""

    def __init__(self, sink: MemorySink) -> None:
        """Write into `sink`."""
        self.max_in_flight = sink.max_in_flight
        self._sink = sink
        self._turn = asyncio.Lock()  # first come, first served: what started first is written first

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:  # noqa: D102 (contract in Writer)
        sink = self._sink
        sink.in_flight += 1
        sink.peak_in_flight = max(sink.peak_in_flight, sink.in_flight)
        try:
            async with self._turn:
                return _apply(batches, await sink.writes.step(), sink.refuse, sink.log)
        finally:
            sink.in_flight -= 1

    async def close(self) -> None:  # noqa: D102 (contract in Writer)
        self._sink.closed += 1


class TaskLog:
    """What one task wrote: `log[:public]` is seen by consumers, `log[:durable]` survives a crash."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.log: list[Batch] = []
        self.durable = 0
        self.public = 0
        self.epoch = -1


@dataclass(kw_only=True, eq=False)
class MemoryTransactionalSink(_MemorySinkBase):
    """A list of which only a committed prefix counts, exactly once: `open` cuts it back to its last token.

    `commit` plays `commit_script` before it makes anything durable, `committed` plays `committed_script` before it
    publishes anything.
    """

    commit_script: Iterable[Step] = ()
    committed_script: Iterable[Step] = ()
    guarantee = Guarantee.EXACTLY_ONCE

    def __post_init__(self) -> None:
        super().__post_init__()
        self.commits = Play(self.commit_script, self.clock)
        self.committeds = Play(self.committed_script, self.clock)
        self._tasks: dict[TaskId, TaskLog] = {}

    def batches(self) -> list[Batch]:  # noqa: D102 (contract in the base)
        return [batch for log in self._tasks.values() for batch in log.log[: log.public]]

    def log_of(self, task: TaskId) -> TaskLog:
        """Return all that one task has written and was not cut back since."""
        return self._tasks.setdefault(task, TaskLog())

    async def open(  # noqa: D102 (contract in Sink)
        self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]
    ) -> MemoryTransactionalWriter:
        await self._opening(task, epoch, recover)
        log = self.log_of(task)
        if epoch <= log.epoch:
            raise FencedError("memory.fenced", f"epoch {log.epoch} of {task.pipeline} came before epoch {epoch}")
        log.epoch = epoch
        tokens = [int(checkpoint.sink) for checkpoint in recover.values() if checkpoint.sink is not None]
        log.public = log.durable = max([log.public, *tokens])
        del log.log[log.public :]
        return MemoryTransactionalWriter(self, log, epoch)


class MemoryTransactionalWriter:
    """Appends to what one task wrote into a `MemoryTransactionalSink`."""

    def __init__(self, sink: MemoryTransactionalSink, log: TaskLog, epoch: int) -> None:
        """Write into `log` as long as nobody opens it with a higher epoch."""
        self._sink = sink
        self._log = log
        self._epoch = epoch

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:  # noqa: D102 (contract in TransactionalWriter)
        step = await self._sink.writes.step()
        self._check_epoch()
        before = len(self._log.log)
        try:
            return _apply(batches, step, self._sink.refuse, self._log.log)
        except RetryableError:
            del self._log.log[before:]  # the write is repeated as a whole
            raise

    async def commit(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> bytes:  # noqa: D102 (contract in TransactionalWriter)
        await self._sink.commits.step_or_raise()
        self._check_epoch()
        self._log.durable = len(self._log.log)
        return b"%d" % self._log.durable

    async def committed(self) -> None:  # noqa: D102 (contract in TransactionalWriter)
        await self._sink.committeds.step_or_raise()
        self._check_epoch()
        self._log.public = self._log.durable

    async def close(self) -> None:  # noqa: D102 (contract in TransactionalWriter)
        self._sink.closed += 1

    def _check_epoch(self) -> None:
        if self._log.epoch != self._epoch:  # I4: an older epoch changes nothing
            raise FencedError("memory.fenced", f"epoch {self._log.epoch} has taken over from {self._epoch}")
