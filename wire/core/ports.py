"""The protocols a connector implements. The engine knows sources and sinks only by these.

The order of things, on which everything rests (at least once):
1. the sink's write is durable; 2. the ledger settles the batch; 3. the checkpoint is committed; 4. the source is told.
A crash between two steps repeats work and never skips any.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from wire.core.errors import WireError
from wire.core.formats import Format
from wire.core.records import Batch, Checkpoint, Fingerprint, PartitionId, PartitionKey, Position


class Guarantee(enum.StrEnum):
    """What a sink can promise about records it is given again after a failure."""

    AT_LEAST_ONCE = "at_least_once"
    EXACTLY_ONCE = "exactly_once"


class ReadLimit(Struct, frozen=True):
    """How much one `read` may return. A single record larger than `max_bytes` is returned alone."""

    max_records: int
    max_bytes: int


class Lag(Struct, frozen=True):
    """How far a reader is behind the end of its partition, as far as it knows without asking anyone.

    `event_ms` is the event time of what was read last, where that is told by a clock that goes on: until the end is
    reached, the time since then is how late the pipeline is.
    """

    records: int | None = None
    bytes: int | None = None
    event_ms: int | None = None


class Reader(Protocol):
    """Reads one partition in order. Used by one asyncio task at a time."""

    async def read(self, limit: ReadLimit) -> Batch | None:
        """Return the next batch, waiting until there is one; None when the partition has ended for good.

        Where the start of a partition that was opened without `resume` can't be found again later (the newest record,
        the present moment), the first batch has no records and tells that start: it is committed before more is read.

        A cancelled read loses nothing: the next read returns what it would have returned. Raises RetryableError when
        the other side is away (reading again continues from the same place), FatalError when reading again can't
        help (the position no longer exists, access was refused).
        """
        ...

    async def release(self, upto: Position) -> None:
        """Learn that everything before `upto` is covered by a committed checkpoint and may be pruned (I1).

        Best effort and idempotent; may come after `close`, the source's too; must not raise for a server that is away.
        """
        ...

    def lag(self) -> Lag:
        """Return how far behind this reader is, without waiting."""
        ...

    async def close(self) -> None:
        """Let go of everything. Idempotent; returns within seconds even when the other side is away."""
        ...


class Source(Protocol):
    """Where records come from. One per `source:` of a pipeline."""

    format: Format
    """How the bytes of its records' values are encoded."""

    max_readers: int | None
    """How many partitions may be open at once; None for all."""

    def fingerprint(self) -> Fingerprint:
        """Identify what is read (not how): a position is only valid under the same fingerprint."""
        ...

    async def partitions(self) -> Sequence[PartitionId]:
        """Return all partitions there are now. Raises RetryableError, UnavailableError or FatalError."""
        ...

    async def open(self, partition: PartitionId, resume: Position | None) -> Reader:
        """Open a partition: at its configured start without `resume`, else directly after that position."""
        ...

    async def close(self) -> None:
        """Close what the source shares among its readers. Idempotent."""
        ...


class Failure(Struct, frozen=True):
    """The verdict on one record that was not written: `batches[batch].records[record]` of the write.

    With a RetryableError the engine writes that record again, with a RecordError it is dead-lettered.
    """

    batch: int
    record: int
    error: WireError


class Lineage(Struct, frozen=True):
    """Tells a pipeline from all others anywhere by `name`, and by when it was `born` from earlier ones of that name."""

    name: str = ""
    born: int = 0


class TaskId(Struct, frozen=True):
    """Names the work a writer belongs to: `namespace/pipeline` and the number of the task within it.

    `generation` rises whenever the pipeline's progress is reset: offsets of an earlier one say nothing about these.
    `share` are the partitions that the task reads and nobody else may; None for all there are and will be.
    """

    pipeline: str
    slot: int = 0
    generation: int = 0
    lineage: Lineage = Lineage()
    share: tuple[PartitionKey, ...] | None = None


class Writer(Protocol):
    """Writes records durably. Up to `max_in_flight` writes are under way at once, started in order.

    With more than one, a write that failed and is repeated may land behind later ones, even of the same partition: a
    sink in which order matters keeps `max_in_flight` at 1, or keeps the order itself.
    """

    max_in_flight: int

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        """Return once every record is durable or has a failure in the answer.

        Raises RetryableError when nothing can be said about the whole write (it is repeated), FatalError when
        repeating can't help. Within one write, the records of a partition stay in order. May be called again with the
        same batches.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; what was not durable may be lost. Idempotent."""
        ...


@runtime_checkable
class TransactionalWriter(Protocol):
    """Writes records that take effect only with the checkpoint that covers them.

    The engine calls `write` any number of times, one at a time, then `commit` with the checkpoints that cover exactly
    what was written since the last commit, then stores them with the token `commit` returned, then calls `committed`.
    """

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        """Accept the records; they need not be durable yet. Errors as in `Writer.write`."""
        ...

    async def commit(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> bytes:
        """Make everything written so far durable and return what `Sink.open` needs to recover to this point.

        The token goes into `Checkpoint.sink` of every partition in `checkpoints`. Raises RetryableError (the commit
        is tried again) or FatalError.
        """
        ...

    async def committed(self) -> None:
        """Learn that the checkpoints of the last commit are stored: what they cover may be published."""
        ...

    async def close(self) -> None:
        """Let go of everything; what is not committed is discarded at the next `open`. Idempotent."""
        ...


class Transactions(Protocol):
    """Keeps the checkpoints of a task itself, together with what sinks write: both take effect at once, or neither.

    What it keeps is the truth; the engine's own store is told later, and may be behind. `commit` is called every
    `interval_s` seconds while records flow, and earlier once sinks have taken `max_bytes`; nobody writes meanwhile.
    """

    interval_s: float
    max_bytes: int

    async def recover(
        self, task: TaskId, epoch: int, stored: Mapping[PartitionKey, Checkpoint]
    ) -> Mapping[PartitionKey, Checkpoint]:
        """Return where the task goes on, given what the engine has stored. Called first, before any sink is opened.

        When it returns, nothing that an earlier start of the task has written or still writes can take effect, but for
        what the answer covers. Raises FencedError where a later start was first; else as `Sink.open`.
        """
        ...

    async def commit(self, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        """Have all that was written since the last commit take effect, and these checkpoints, which cover just that.

        Raises RestartError where that was not done or nobody knows; FencedError or FatalError.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; what is not committed never takes effect. Idempotent."""
        ...


@runtime_checkable
class TransactionalSink(Protocol):
    """A sink whose writers, each a `Writer`, write within `transactions`; several sinks may have the same."""

    transactions: Transactions


@runtime_checkable
class Counting(Protocol):
    """A writer that counts things of its own about the records it wrote, shown in the pipeline's progress."""

    counts: Mapping[str, int]
    """By name; the numbers only rise."""


class Sink(Protocol):
    """Where records go. One per `sink:` of a pipeline."""

    format: Format
    """How the values it is given must be encoded."""

    guarantee: Guarantee

    carries_headers: bool
    """Whether a record's key and headers arrive with it. If not, dead letters are wrapped in a JSON envelope."""

    async def open(
        self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]
    ) -> Writer | TransactionalWriter:
        """Connect, check that writing will be possible, and recover to the point `recover` describes.

        `recover` holds the last committed checkpoint of every partition this task has, with this sink's own token in
        `sink`; a file sink cuts back to the committed prefix here. `epoch` is higher than that of any earlier start.
        With nothing in `recover` this is a first start: what is there from others is never touched. Raises
        UnavailableError or RetryableError when the other side is away, FatalError when it refuses.
        """
        ...
