"""What waits to be written to one sink, in the order in which it was read."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from wire.core.records import Batch, Record
from wire.pipelines.engine.ledger import Ticket


class Item(Struct, eq=False):
    """One batch for this sink, or part of one, from its record number `place` on; it holds its ticket.

    `origin` is the batch the source gave, `at` when it was queued (the loop's time), `attempts` how often it was part
    of a write; `tried` is how often of these, lately, it failed under one and the same limit, and which.
    """

    ticket: Ticket
    source: str
    batch: Batch
    origin: Batch
    size: int
    at: float
    attempts: int = 0
    place: int = 0
    tried: tuple[str, int, int] = ("", 0, 0)

    @property
    def held_loosely(self) -> bool:
        """Whether only sinks hold its batch that let go rather than hold up others."""
        return self.ticket.open == self.ticket.loose

    def part(self, indices: Sequence[int]) -> Item:
        """Return an item of some of its records."""
        batch = self.batch.take(indices)
        place, size = self.place + indices[0], size_of(batch.records)
        return Item(self.ticket, self.source, batch, self.origin, size, self.at, self.attempts, place, self.tried)

    def failures_under(self, limit: str) -> int:
        """Count its last attempt as a failure under a limit, once, and return how many in a row there were by now."""
        name, count, at = self.tried
        if name != limit:
            self.tried = (limit, 1, self.attempts)
        elif at != self.attempts:
            self.tried = (limit, count + 1, self.attempts)
        return self.tried[1]


class Queue:
    """Items in order. Who takes one out answers for its hold on the ticket."""

    def __init__(self, hold: Callable[[Ticket], None]) -> None:
        """Begin empty; `hold` is called when one item becomes two."""
        self._hold = hold
        self._items: deque[Item] = deque()
        self.records = 0
        self.bytes = 0

    @property
    def first(self) -> Item | None:
        """What is to be written next."""
        return self._items[0] if self._items else None

    def put(self, item: Item) -> None:
        """Add one; most are the newest."""
        if self._items and item.ticket.number < self._items[-1].ticket.number:  # another sink rejects what is older
            self._items.insert(bisect_right(self._items, _order(item), key=_order), item)
        else:
            self._items.append(item)
        self._count(item, 1)

    def put_back(self, items: Sequence[Item]) -> None:
        """Add what was gathered before and is to be gathered again."""
        self._items = deque(sorted((*items, *self._items), key=_order))
        for item in items:
            self._count(item, 1)

    def gather(self, records: int, size: int, upto: int | None) -> list[Item]:
        """Take out what one write may hold, of tickets up to a number: at least one record if there is any."""
        items: list[Item] = []
        while (item := self.first) is not None and (upto is None or item.ticket.number <= upto):
            if len(item.batch.records) > records or item.size > size:
                if items:
                    break
                item = self._split_first(records, size)
            self._items.popleft()
            items.append(item)
            self._count(item, -1)
            records -= len(item.batch.records)
            size -= item.size
        return items

    def __iter__(self) -> Iterator[Item]:
        """Give what is there now, the oldest first."""
        return iter(list(self._items))

    def remove(self, item: Item) -> None:
        """Take one out."""
        self._items.remove(item)
        self._count(item, -1)

    def _split_first(self, records: int, size: int) -> Item:
        """Cut what fits into a write off the first item: the size aimed at may have shrunk since it was read."""
        item = self._items.popleft()
        count, total = _fitting(item.batch.records, records, size), len(item.batch.records)
        if count < total:
            self._hold(item.ticket)
            self._items.appendleft(item.part(range(count, total)))
            item = item.part(range(count))
        self._items.appendleft(item)
        return item

    def _count(self, item: Item, sign: int) -> None:
        self.records += sign * len(item.batch.records)
        self.bytes += sign * item.size


def _order(item: Item) -> tuple[int, int]:
    return item.ticket.number, item.place


def _fitting(records: Sequence[Record], most: int, max_bytes: int) -> int:
    """Return how many of the first records are no more than allowed, one at least."""
    size = 0
    for index, record in enumerate(records[:most]):
        size += len(record.value or b"")
        if index and size > max_bytes:
            return index
    return max(1, min(most, len(records)))


def size_of(records: Sequence[Record]) -> int:
    """Return the bytes of the records' values."""
    try:
        return sum([len(record.value) for record in records])  # type: ignore[arg-type, misc]  # tombstones are rare
    except TypeError:
        return sum(len(record.value or b"") for record in records)
