"""The records of one write that go to one target partition, on their way to being acknowledged."""

from __future__ import annotations

from typing import Any, Final

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from msgspec import Struct

from wire.core.errors import RetryableError, WireError
from wire.core.records import Headers, Record

Target = tuple[str, int]
"""Topic and partition."""

_MAGIC: Final = 2


class Encoding(Struct, frozen=True):
    """How record batches are made: the codec's number, and the time to stamp records with, None for their own."""

    codec: int
    now_ms: int | None


class ProducerId(Struct, frozen=True):
    """The identity under which the brokers tell a batch sent twice from a new one (KIP-98)."""

    id: int
    epoch: int


class Stamp(Struct, frozen=True):
    """What the brokers tell a batch by: who sends it, which number its first record has, and whether in a transaction.

    Of an idempotent producer or a transactional one (KIP-98).
    """

    id: int
    epoch: int
    sequence: int
    transactional: bool


class Sent(Struct, frozen=True):
    """One encoded record batch: the bytes, how many records are in them, and their size before compression."""

    raw: bytes
    count: int
    size: int


class Lane:
    """Records for one partition, in order, and the verdicts on those that will not be written.

    `places` says for each record where in the write it came from. `at` is the first record without a verdict. The
    record batch in front stays the same, byte for byte, until it has a verdict: only so can the brokers recognise it.
    """

    __slots__ = ("at", "failures", "front", "limit", "places", "problem", "records", "split", "target")

    def __init__(self, target: Target) -> None:
        """Start without records."""
        self.target = target
        self.records: list[Record] = []
        self.places: list[int] = []
        self.at = 0
        self.front: Sent | None = None
        self.failures: list[tuple[int, WireError]] = []
        self.problem: RetryableError | None = None
        self.split: int | None = None  # send no more records than this at once: a bad one is among them

    @property
    def done(self) -> bool:
        """Whether every record has a verdict."""
        return self.at >= len(self.records)

    def encode(self, stamp: Stamp, encoding: Encoding, max_bytes: int) -> Sent:
        """Return the record batch to send next: as many records as fit into `max_bytes`, and at least one."""
        if self.front is None:
            builder = DefaultRecordBatchBuilder(
                _MAGIC, encoding.codec, stamp.transactional, stamp.id, stamp.epoch, stamp.sequence, max_bytes
            )
            stop = len(self.records) if self.split is None else self.at + self.split
            count = _fill(builder.append, self.records[self.at : stop], encoding.now_ms)
            size = builder.size()
            self.front = Sent(bytes(builder.build()), count, size)
        return self.front

    def acknowledge(self) -> int:
        """Learn that the batch in front is durable; return how many records that were."""
        count = self.front.count if self.front else 0
        self.at += count
        self.front = None
        self.problem = None
        return count

    def reject(self, error: WireError) -> None:
        """Give the first record a verdict: it is not written."""
        self.failures.append((self.places[self.at], error))
        self.at += 1
        self.front = self.split = None

    def halve(self) -> None:
        """Send only half as many records next, and again until the bad one stands alone."""
        self.split = max(1, self.front.count // 2) if self.front else None
        self.front = None

    def leftover(self) -> Lane:
        """Return a lane of only the batch in front, whose fate is not known."""
        lane = Lane(self.target)
        count = self.front.count if self.front else 0
        lane.records = self.records[self.at : self.at + count]
        lane.places = self.places[self.at : self.at + count]
        lane.front = self.front
        return lane


def _fill(append: Any, records: list[Record], now_ms: int | None) -> int:
    """Append records until no more fits; return how many did. The first always does."""
    count = 0
    shared: Headers = ()
    headers: list[Any] = []
    for record in records:
        if record.headers is not shared:  # one source often gives all its records the same
            shared = record.headers
            headers = list(shared)
        stamp = record.ts_ms if now_ms is None else now_ms
        if append(count, stamp, record.key, record.value, headers) is None:
            break
        count += 1
    return count
