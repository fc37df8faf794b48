"""The smallest engine that drives a sink as Wire's does, and dies where it is told to. For the checks of sinks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from wire.core.clock import SystemClock
from wire.core.errors import RetryableError
from wire.core.ports import Failure, Sink, TaskId, TransactionalWriter, Writer
from wire.core.records import Batch, Checkpoint, Fingerprint, PartitionId, Position, Record
from wire.testing.checking import expect, seeded
from wire.testing.faults import Crash

T = TypeVar("T")

_TASK: Final = TaskId("default/conformance")
_SOURCE: Final = Fingerprint(b"conformance")
_CRASH_PASSES: Final = (0, 1, 2, 3, 5, 8, 13, 21, 34)


class Feed:
    """What is to be written, and its checkpoints: what outlives the tasks that write it.

    A position is the number of records before it. `opened` holds every writer there ever was.
    """

    def __init__(self) -> None:
        """Make a feed without partitions."""
        self.values: dict[PartitionId, list[bytes]] = {}
        self.stored: dict[PartitionId, Checkpoint] = {}
        self.epoch = 0
        self.opened: list[Writer | TransactionalWriter] = []

    def stored_at(self, partition: PartitionId) -> int:
        """Return how many records of a partition its checkpoint covers."""
        return int(self.stored[partition].position) if partition in self.stored else 0

    def batch(self, partition: PartitionId, start: int, stop: int) -> Batch:
        """Return the records from `start` to `stop` of a partition."""
        return batch_of(partition, self.values[partition][start:stop], start)

    def all_values(self) -> list[bytes]:
        """Return everything that is to be written."""
        return [value for values in self.values.values() for value in values]


def batch_of(partition: PartitionId, values: Sequence[bytes], start: int = 0) -> Batch:
    """Return a batch of these values, the first of which is the partition's record number `start`."""
    key = partition.encode()
    now_ms = SystemClock().now_ms()  # records of long ago would be gone soon, where a target keeps them for a time
    records = [Record(value, key, now_ms, (("n", b"%d" % i),), i) for i, value in enumerate(values, start)]
    return Batch(partition, Position(b"%d" % (start + len(records))), records)


class Fuse:
    """Lets a number of steps pass, then crashes before the next one, in it, or after it."""

    def __init__(self, steps: int, rng: random.Random) -> None:
        """Let `steps` steps pass; `rng` says what becomes of the next."""
        self._steps_left = steps
        self._rng = rng

    async def step(self, action: Callable[[], Awaitable[T]]) -> T:
        """Do `action`, or none or some of it and raise Crash."""
        self._steps_left -= 1
        if self._steps_left >= 0:
            return await action()
        match self._rng.randrange(4):
            case 0:
                raise Crash
            case 1:
                await action()
                raise Crash
            case _:
                await _cancelled(action, self._rng.choice(_CRASH_PASSES))
                raise Crash


async def _cancelled(action: Callable[[], Awaitable[T]], passes: int) -> None:
    async def run() -> None:
        await action()

    task = asyncio.get_running_loop().create_task(run())
    for _ in range(passes):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


class Life:
    """One life of a task: opened at the stored checkpoints with an epoch of its own, until it ends or crashes."""

    def __init__(
        self, feed: Feed, writer: Writer | TransactionalWriter, prepare: Callable[[Batch], Batch], fuse: Fuse
    ) -> None:
        """Continue `feed` with a freshly opened writer; `prepare` has a say on every batch before it is written."""
        self.writer = writer
        self._feed = feed
        self._prepare = prepare
        self._fuse = fuse
        self._next = {partition: feed.stored_at(partition) for partition in feed.values}

    @classmethod
    async def begin(cls, feed: Feed, sink: Sink, prepare: Callable[[Batch], Batch], fuse: Fuse | None = None) -> Life:
        """Open the sink as a task that starts does."""
        fuse = fuse or Fuse(1 << 30, seeded(0))
        feed.epoch += 1

        async def open_sink() -> Writer | TransactionalWriter:
            writer = await sink.open(_TASK, feed.epoch, dict(feed.stored))
            feed.opened.append(writer)
            return writer

        return cls(feed, await fuse.step(open_sink), prepare, fuse)

    async def write_some(self, rng: random.Random) -> None:
        """Write the next few records of some partitions."""
        await self._write_next({p: rng.randrange(1, 6) for p in self._unfinished() if rng.randrange(2)})

    async def write_all(self) -> None:
        """Write whatever is left."""
        await self._write_next({p: len(self._feed.values[p]) for p in self._unfinished()})

    async def write_once(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        """Write and move behind it, whatever the answer is."""
        failures = await self.writer.write([self._prepare(batch) for batch in batches])
        self._next.update({batch.partition: int(batch.position) for batch in batches})
        return failures

    async def write(self, batches: Sequence[Batch]) -> None:
        """Write and move behind it, repeating what may succeed if repeated. Fails when a record is refused for good."""
        pending = list(batches)
        while pending:
            try:
                failures = await self.write_once(pending)
            except RetryableError:
                await asyncio.sleep(0)
                continue
            refused = [failure for failure in failures if not isinstance(failure.error, RetryableError)]
            expect(not refused, f"every record is good, but the sink refused {refused}")
            pending = [pending[failure.batch].take([failure.record]) for failure in failures]

    async def _write_next(self, counts: Mapping[PartitionId, int]) -> None:
        batches = [
            self._feed.batch(p, self._next.get(p, 0), self._next.get(p, 0) + count) for p, count in counts.items()
        ]
        await self._fuse.step(lambda: self.write(batches))

    def _unfinished(self) -> list[PartitionId]:
        return [p for p, values in self._feed.values.items() if self._next.get(p, 0) < len(values)]

    @property
    def done(self) -> bool:
        """Whether everything was written."""
        return not self._unfinished()

    async def checkpoint(self) -> None:
        """Commit what was written, store its checkpoints, tell the sink: in this order, so that I2 holds."""
        if self._changed():
            await self.store(await self.commit())
            await self.committed()

    async def commit(self) -> dict[PartitionId, Checkpoint]:
        """Have the sink commit. Returns the checkpoints that are to be stored."""
        changed, writer = self._changed(), self.writer
        if not isinstance(writer, TransactionalWriter):
            return changed
        token = await self._fuse.step(lambda: writer.commit(changed))
        return {p: msgspec.structs.replace(checkpoint, sink=token) for p, checkpoint in changed.items()}

    def _changed(self) -> dict[PartitionId, Checkpoint]:
        return {p: self._checkpoint(p) for p, count in self._next.items() if count > self._feed.stored_at(p)}

    async def store(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> None:
        """Store the checkpoints of a commit."""

        async def store() -> None:
            self._feed.stored.update(checkpoints)

        await self._fuse.step(store)

    async def committed(self) -> None:
        """Tell the sink that the checkpoints are stored."""
        if isinstance(self.writer, TransactionalWriter):
            await self._fuse.step(self.writer.committed)

    def _checkpoint(self, partition: PartitionId) -> Checkpoint:
        before = self._feed.stored.get(partition)
        position = Position(b"%d" % self._next[partition])
        return Checkpoint(generation=0, seq=before.seq + 1 if before else 0, position=position, source=_SOURCE)

    async def end(self) -> None:
        """Checkpoint and close, as a task that is stopped does."""
        await self.checkpoint()
        await self.writer.close()
