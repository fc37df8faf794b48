"""One partition's records between the fetcher, which fills it, and the reader, which empties it."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Final

from aiokafka.errors import KafkaError

from wire.clients.kafka_errors import reason
from wire.clients.kafka_records import Chunk, end_of
from wire.core.errors import FatalError, RetryableError, WireError
from wire.core.ports import ReadLimit
from wire.core.records import Batch, PartitionId, Position, Record

_GRACE_S: Final = 2.0  # a leader that moves is away for less, and that is nobody's business


class Partition:
    """What was fetched of one partition and not yet read; its size is bounded by the fetcher (I8).

    `next_fetch` is the offset at which the next fetch begins, `position` that at which the next read does. With an
    `end`, nothing at or behind it is handed out. Used by one event loop; nothing in it waits but `wait`.
    """

    def __init__(
        self, topic: str, number: int, start: int, end: int | None, topic_id: bytes | None, *, announce: bool = False
    ) -> None:
        """Begin at offset `start` of partition `number`; with `announce` the first batch tells the start itself."""
        self.topic = topic
        self.number = number
        self.topic_id = topic_id
        self.position = start
        self.next_fetch = start
        self.ahead = 0
        self.on_room: Callable[[], None] = lambda: None
        self._end = end
        self._visible_end: int | None = end
        self._chunks: deque[Chunk] = deque()
        self._decoded: list[Record] = []
        self._at = 0
        self._current: Chunk | None = None
        self._decoded_to = start
        self._weight: float = 0  # no fewer than the bytes decoded and not yet read
        self._announce = announce
        self._problem: WireError | None = None
        self._failing_since: float | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def id(self) -> PartitionId:
        """The partition's name, `topic/number`."""
        return PartitionId(f"{self.topic}/{self.number}")

    @property
    def ended(self) -> bool:
        """Whether everything before the end was read."""
        return self._end is not None and self.position >= self._end

    @property
    def fetchable(self) -> bool:
        """Whether more may be asked for at all."""
        if isinstance(self._problem, FatalError):
            return False
        return self._end is None or self.next_fetch < self._end

    def lag(self) -> int | None:
        """Return how many offsets lie between the next read and the end as of the last fetch."""
        return None if self._visible_end is None else max(0, self._visible_end - self.position)

    def add(self, raw: bytes, fetched_from: int, aborted: list[tuple[int, int]] | None, visible_end: int) -> None:
        """Take what a fetch from `fetched_from` brought; it is dropped if that is not where the next one begins."""
        self._failing_since = None
        if not isinstance(self._problem, FatalError):
            self._problem = None
        self._visible_end = visible_end if self._end is None else min(visible_end, self._end)
        end = end_of(raw)
        if end is None or fetched_from != self.next_fetch:
            return
        self.next_fetch = max(self.next_fetch, end)
        chunk = Chunk(raw, fetched_from, aborted)
        self._chunks.append(chunk)
        self.ahead += chunk.size
        self._wake()

    def trouble(self, problem: WireError, now: float) -> None:
        """Learn that a fetch failed. The reader hears of a passing trouble only once it has lasted a while."""
        if self._failing_since is None:
            self._failing_since = now
        if isinstance(problem, FatalError) or now - self._failing_since >= _GRACE_S:
            self._problem = problem
            self._wake()

    def check(self) -> None:
        """Raise what stands in the way of reading: a passing trouble once, a lasting one every time."""
        problem = self._problem
        if problem is not None:
            if not isinstance(problem, FatalError):
                self._problem = None
            raise problem

    async def wait(self) -> None:
        """Return when there may be something to take or to raise. Cancelling it changes nothing."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def take(self, limit: ReadLimit) -> Batch | None:
        """Return the next records, or a batch without any if only the position moved; None if there is nothing yet.

        Raises RetryableError if what was fetched is damaged; it is fetched again. FatalError if it was written so.
        """
        if self._announce:
            self._announce = False
            return Batch(self.id, encode_position(self.position, self.topic_id), [])
        if len(self._decoded) - self._at < limit.max_records and not self.ended:
            self._gather(limit.max_records)
        records = self._next_records(limit)
        self._at += len(records)
        if self._at == len(self._decoded):
            after = self._decoded_to
            self._decoded, self._at, self._weight = [], 0, 0
        else:
            after = records[-1].offset + 1
        if after == self.position:
            return None
        self.position = after
        return Batch(self.id, encode_position(after, self.topic_id), records)

    def _gather(self, count: int) -> None:
        """Decode until there are so many records, or nothing is left to decode."""
        if self._at:
            # I8: what was read is let go of here, since record batches need never end where a read does
            self._decoded, self._at = self._decoded[self._at :], 0
            self._weight = _size(self._decoded)
        while len(self._decoded) < count and (self._current or self._chunks):
            self._decode(self._current or self._begin())

    def _begin(self) -> Chunk:
        self._current = chunk = self._chunks.popleft()
        self.ahead -= chunk.size
        self.on_room()
        return chunk

    def _decode(self, chunk: Chunk) -> None:
        try:
            records = chunk.decode()
        except KafkaError as exc:
            self._forget()
            hint = "what the broker sends is damaged: check its disks, or let another replica lead the partition"
            where = f"{self.id} at {self.position}"
            raise RetryableError("source.kafka.corrupt", f"{where}: {reason(exc)}", hint=hint) from exc
        except UnicodeDecodeError as exc:  # whoever wrote it did not keep to the protocol: it stays so
            hint = "have the record deleted, or begin behind it with another `start` and --reset"
            message = f"{self.id} at {self.position} or soon behind: a header's name is not UTF-8"
            raise FatalError("source.kafka.corrupt", message, hint=hint) from exc
        self._decoded_to = chunk.position
        if self._end is not None and chunk.position > self._end:
            self._decoded_to = self._end
            records = [record for record in records if record.offset < self._end]
        self._decoded.extend(records)
        self._weight += math.inf if chunk.compressed else chunk.taken
        if not chunk.more():
            self._current = None

    def _next_records(self, limit: ReadLimit) -> list[Record]:
        if self._at == 0 and len(self._decoded) <= limit.max_records and self._weight <= limit.max_bytes:
            return self._decoded
        records = self._decoded[self._at : self._at + limit.max_records]
        return records if self._weight <= limit.max_bytes else records[: _fitting(records, limit.max_bytes)]

    def _forget(self) -> None:
        self._decoded, self._at, self._weight, self.ahead = [], 0, 0, 0
        self._current = None
        self._chunks.clear()
        self.next_fetch = self._decoded_to = self.position
        self.on_room()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def encode_position(offset: int, topic_id: bytes | None) -> Position:
    """Return the position before `offset` in the topic of that id."""
    return Position(offset.to_bytes(8, "big") + (topic_id or b""))


def decode_position(position: Position) -> tuple[int, bytes | None]:
    """Return the offset and the topic's id, None if the broker told none."""
    return int.from_bytes(position[:8], "big"), position[8:] or None


def _size(records: list[Record]) -> int:
    return sum(len(record.value or b"") + len(record.key or b"") for record in records)


def _fitting(records: list[Record], max_bytes: int) -> int:
    """Return how many of the first records fit, at least one."""
    total = 0
    for count, record in enumerate(records):
        total += len(record.value or b"") + len(record.key or b"")
        if total > max_bytes:
            return max(count, 1)
    return len(records)


def position_lost(partition: PartitionId, detail: str) -> FatalError:
    """Describe a position that can't be resumed from: going on elsewhere would skip records in silence."""
    hint = "to go on without the lost records, choose where to `start` and run it with --reset"
    return FatalError("source.kafka.position_lost", f"{partition}: {detail}", hint=hint)
