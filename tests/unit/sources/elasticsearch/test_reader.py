"""The reader of one shard, beside a view that answers at once: pages, and what is asked for ahead of time."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from wire.core.errors import RetryableError
from wire.core.ports import Reader, ReadLimit
from wire.core.units import Size
from wire.sources.elasticsearch import ElasticsearchSourceConfig
from wire.sources.elasticsearch.reader import ShardReader
from wire.sources.elasticsearch.shards import Shard
from wire.sources.elasticsearch.view import Hit
from wire.testing.clock import VirtualClock

LIMIT = ReadLimit(1000, 1 << 20)


class Documents:
    """Stands in for a view: documents of a size, by change number, every third number being no document's."""

    def __init__(self, count: int, size: int = 10) -> None:
        self.numbers = [n for n in range(count * 3 // 2) if n % 3 != 2][:count]
        self.size = size
        self.asked: list[int] = []
        self.away = 0

    async def page(self, after: int, count: int) -> list[Hit]:
        if self.away:
            self.away -= 1
            raise RetryableError("source.elasticsearch.unreachable")
        self.asked.append(count)
        found = [n for n in self.numbers if n > after][:count]
        source = msgspec.Raw(b'"%b"' % (b"x" * (self.size - 2)))
        return [Hit(id=f"d{n}", seq_no=n, source=source) for n in found]

    async def count(self, after: int) -> int:
        return sum(n > after for n in self.numbers)

    async def close(self) -> None:
        pass


def reader_of(view: Any, after: int = -1, **config: Any) -> ShardReader:
    parsed = ElasticsearchSourceConfig(url="http://h:1", index="i", **config)
    return ShardReader(view, Shard("i", "uuid", 0), after, parsed, VirtualClock())


async def numbers(reader: Reader, limit: ReadLimit = LIMIT, passes: int = 0) -> list[int]:
    """Read to the end; between reads, let others do something for some passes of the event loop."""
    found: list[int] = []
    while (batch := await reader.read(limit)) is not None:
        found += [record.offset for record in batch.records]
        for _ in range(passes):
            await asyncio.sleep(0)
    await reader.close()
    return found


@pytest.mark.parametrize("passes", [0, 1, 3, 30])
@pytest.mark.parametrize("count", [0, 1, 5, 99, 100, 101, 1000])
async def test_everything_is_read_however_slowly(count: int, passes: int) -> None:
    view = Documents(count)
    assert await numbers(reader_of(view), passes=passes) == view.numbers
    assert await numbers(reader_of(view, page_records=5), ReadLimit(3, 1 << 20), passes) == view.numbers


async def test_lag_counts_down_to_nothing() -> None:
    reader = reader_of(Documents(250))
    assert reader.lag().records is None
    lags = []
    while await reader.read(ReadLimit(50, 1 << 20)):
        for _ in range(10):
            await asyncio.sleep(0)
        lags.append(reader.lag().records)
    assert lags == [200, 150, 100, 50, 0]


async def test_no_more_than_one_page_is_asked_for_ahead() -> None:
    view = Documents(5000)
    reader = reader_of(view)
    await reader.read(ReadLimit(1, 1 << 20))
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(view.asked) == 2
    await reader.close()


async def test_pages_hold_as_many_documents_as_there_is_room_for() -> None:
    view = Documents(2000, size=10_000)
    await numbers(reader_of(view, page_size=Size(4 << 20)))
    assert view.asked[0] == 100
    assert set(view.asked[1:]) == {(4 << 20) // 10_000}


async def test_what_fails_is_asked_for_again() -> None:
    view = Documents(300)
    reader = reader_of(view)
    found = [record.offset for record in (await reader.read(LIMIT)).records]  # type: ignore[union-attr]
    view.away = 2
    for _ in range(2):
        with pytest.raises(RetryableError):
            await reader.read(LIMIT)
    assert found + await numbers(reader) == view.numbers


async def test_a_failure_ahead_of_time_is_told_when_its_page_is_due() -> None:
    view = Documents(300)
    reader = reader_of(view)
    first = await reader.read(ReadLimit(10, 1 << 20))
    view.away = 1
    for _ in range(10):
        await asyncio.sleep(0)
    second = await reader.read(ReadLimit(90, 1 << 20))
    assert first is not None
    assert second is not None
    assert len(first.records) + len(second.records) == 100
    await reader.close()
