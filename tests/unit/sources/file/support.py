"""Sources and readers of files, as the tests make them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from wire.core.config import parse
from wire.core.errors import Finding
from wire.core.plugins import ComponentContext
from wire.core.ports import ReadLimit
from wire.core.records import Batch, PartitionId, Position
from wire.sources.file import PLUGIN
from wire.sources.file.reader import FileReader
from wire.sources.file.source import FileSource
from wire.testing.clock import VirtualClock

LIMIT = ReadLimit(max_records=1000, max_bytes=1 << 20)


def source(path: Path | str, *, bounded: bool = False, **config: Any) -> FileSource:
    """Return a source configured as in YAML."""
    findings: list[Finding] = []
    parsed = parse(PLUGIN.config, {"path": str(path), **config}, "$", findings)
    assert not findings, findings
    context = ComponentContext("test", "file", bounded=bounded, clock=VirtualClock(autojump=True))
    built = PLUGIN.build(parsed, context)
    assert isinstance(built, FileSource)
    return built


@asynccontextmanager
async def opened(
    path: Path, resume: Position | None = None, *, of: FileSource | None = None, **config: Any
) -> AsyncIterator[FileReader]:
    """Open one file."""
    reader = await (of or source(path, **config)).open(PartitionId(str(path)), resume)
    try:
        yield reader
    finally:
        await reader.close()


async def rest(reader: FileReader) -> list[Batch]:
    """Read to the end."""
    batches = []
    while (batch := await reader.read(LIMIT)) is not None:
        batches.append(batch)
    return batches


async def take(reader: FileReader, count: int) -> list[Batch]:
    """Read exactly so many records."""
    batches: list[Batch] = []
    async with asyncio.timeout(30):
        while left := count - sum(len(batch.records) for batch in batches):
            batch = await reader.read(ReadLimit(left, 1 << 20))
            assert batch is not None, f"the end, with {left} records missing"
            batches.append(batch)
    return batches


def values(batches: Sequence[Batch]) -> list[bytes | None]:
    """Return the values of all records."""
    return [record.value for batch in batches for record in batch.records]


def offsets(batches: Sequence[Batch]) -> list[int]:
    """Return the offsets of all records."""
    return [record.offset for batch in batches for record in batch.records]


async def read(path: Path, **config: Any) -> list[bytes | None]:
    """Return the values in one file."""
    async with opened(path, **config) as reader:
        return values(await rest(reader))
