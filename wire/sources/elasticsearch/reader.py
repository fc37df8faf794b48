"""Reads one shard: pages of documents in the order of their change numbers, the next one asked for ahead of time."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import msgspec

from wire.core.clock import Clock
from wire.core.errors import FatalError
from wire.core.ports import Lag, ReadLimit
from wire.core.records import Batch, Headers, PartitionId, Position, Record
from wire.sources.elasticsearch import ElasticsearchSourceConfig
from wire.sources.elasticsearch.position import ShardPosition
from wire.sources.elasticsearch.shards import Shard
from wire.sources.elasticsearch.view import Hit, View

_FIRST_PAGE: Final = 100  # nothing is known of the documents' size yet


class _Page(NamedTuple):
    records: list[Record]
    last: bool


class ShardReader:
    """A `Reader` of the documents behind the change number `after`."""

    def __init__(self, view: View, shard: Shard, after: int, config: ElasticsearchSourceConfig, clock: Clock) -> None:
        """Begin behind `after`, -1 for the shard's beginning."""
        self._view = view
        self._shard = shard
        self._partition = PartitionId(shard.name)
        self._after = after
        self._most = config.page_records
        self._page_bytes = config.page_size.bytes
        self._count = min(_FIRST_PAGE, self._most)
        self._clock = clock
        self._page: list[Record] = []
        self._at = 0
        self._asking: asyncio.Task[_Page] | None = None
        self._left: int | None = None
        self._ended = False

    async def read(self, limit: ReadLimit) -> Batch | None:
        """Return the next documents. Raises FatalError when the index is not the one it was."""
        while self._at == len(self._page):
            if self._ended:
                return None
            await self._turn()
        return self._take(limit)

    async def _turn(self) -> None:
        """Go on to the next page. Cancelled, it is as if nothing had been asked."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())  # noqa: TID251 (awaited here, or in close)
        await asyncio.wait([self._asking])
        asked, self._asking = self._asking, None
        page = asked.result()
        # only now: what was asked ahead is not what is being handed out
        self._page, self._at, self._ended = page.records, 0, page.last
        if not self._ended:
            self._asking = asyncio.create_task(self._ask())  # noqa: TID251 (awaited here, or in close)

    async def _ask(self) -> _Page:
        if self._left is None:
            self._left = await self._view.count(self._after)
        hits = await self._view.page(self._after, self._count)
        page = _Page([self._record(hit) for hit in hits], last=len(hits) < self._count)
        if hits:
            self._after = hits[-1].seq_no
        size = sum(len(record.value or b"") for record in page.records)
        self._count = max(1, min(self._most, self._page_bytes * len(hits) // max(size, 1)))
        return page

    def _take(self, limit: ReadLimit) -> Batch:
        start, room = self._at, limit.max_bytes
        stop = min(len(self._page), start + limit.max_records)
        end = start
        while end < stop:
            record = self._page[end]
            room -= len(record.value or b"") + len(record.key or b"")
            if room < 0 and end > start:
                break
            end += 1
        records = self._page[start:end]
        self._at = end
        self._left = max(0, (self._left or 0) - len(records))
        return Batch(self._partition, self._position(records[-1].offset), records)

    def _position(self, seq_no: int) -> Position:
        return ShardPosition(self._shard.uuid, seq_no).encode()

    def _record(self, hit: Hit) -> Record:
        headers: Headers = (
            ("elasticsearch.index", self._shard.index.encode()),
            ("elasticsearch.seq_no", b"%d" % hit.seq_no),
            ("elasticsearch.primary_term", b"%d" % hit.primary_term),
        )
        if hit.routing is not None:
            headers = (*headers, ("elasticsearch.routing", hit.routing.encode()))
        return Record(self._value(hit), hit.id.encode(), self._clock.now_ms(), headers, hit.seq_no)

    def _value(self, hit: Hit) -> bytes:
        value = bytes(hit.source)
        if not value:
            message = f"{self._shard.name}: document `{hit.id}` has no _source: it is switched off in the mapping"
            hint = "leave the index out: what it was made from is the only place to read its documents"
            raise FatalError("source.elasticsearch.no_source", message, hint=hint)
        # a line break between fields is nothing but layout, and would be one too many for sinks that write lines
        return msgspec.json.format(value, indent=-1) if b"\n" in value else value

    async def release(self, upto: Position) -> None:
        """Do nothing: reading takes nothing away."""

    def lag(self) -> Lag:
        """Return how many documents are left, once the first page is there; exact but for those changed meanwhile."""
        if self._ended:
            return Lag(records=len(self._page) - self._at)
        return Lag(records=self._left)

    async def close(self) -> None:
        """Stop asking and have the cluster drop its point in time. Idempotent."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await self._view.close()
