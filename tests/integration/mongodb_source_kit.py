"""The `mongodb` source as its tests use it: opened, read until something holds, and opened again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from tests.waiting import insist
from wire.core.config import Secret
from wire.core.errors import RetryableError
from wire.core.plugins import ComponentContext
from wire.core.ports import Reader, ReadLimit
from wire.core.records import Batch, Position, Record
from wire.sources.mongodb import MongoSourceConfig
from wire.sources.mongodb.source import MongoSource

GENEROUS = ReadLimit(1000, 1 << 20)


def source_of(uri: str, *, bounded: bool = False, **fields: Any) -> MongoSource:
    config = MongoSourceConfig(uri=Secret(uri), **fields)
    return MongoSource(config, ComponentContext("test", "mongodb", bounded=bounded))


@contextlib.asynccontextmanager
async def opened(
    uri: str, resume: Position | None = None, *, bounded: bool = False, **fields: Any
) -> AsyncIterator[Reader]:
    """A reader of the source's one partition."""
    source = source_of(uri, bounded=bounded, **fields)
    try:
        (partition,) = await source.partitions()
        reader = await source.open(partition, resume)
        try:
            yield reader
        finally:
            await reader.close()
    finally:
        await source.close()


async def read_all(uri: str, resume: Position | None = None, **fields: Any) -> list[Batch]:
    """Read everything there is now."""
    async with opened(uri, resume, bounded=True, **fields) as reader:
        return await to_end(reader)


async def to_end(reader: Reader, limit: ReadLimit = GENEROUS) -> list[Batch]:
    batches = []
    while (batch := await reader.read(limit)) is not None:
        batches.append(batch)
    return batches


async def read_until(
    reader: Reader, done: Callable[[list[Record]], bool], deadline_s: float = 60
) -> tuple[list[Record], Position]:
    """Read as the engine does, trying again what may be, until what was read is `done`."""
    records: list[Record] = []
    position = Position(b"")
    async with asyncio.timeout(deadline_s):
        while not done(records):
            batch = await insist(lambda: reader.read(GENEROUS), RetryableError, deadline_s)
            assert batch is not None, "a source that follows has no end"
            records += batch.records
            position = batch.position
    return records, position


async def read_count(reader: Reader, count: int) -> tuple[list[Record], Position]:
    return await read_until(reader, lambda records: len(records) >= count)


def records_of(batches: Sequence[Batch]) -> list[Record]:
    return [record for batch in batches for record in batch.records]


def documents_of(records: Sequence[Record]) -> list[Any]:
    return [None if record.value is None else json.loads(record.value) for record in records]


def header(record: Record, name: str) -> bytes | None:
    return next((value for key, value in record.headers if key == name), None)
