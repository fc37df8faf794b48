"""What the tests of the Kafka source and sink share: components as the engine makes them, and reading to an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from wire.core.config import parse
from wire.core.errors import Finding
from wire.core.plugins import ComponentContext
from wire.core.ports import Reader, ReadLimit, Source, TaskId, Writer
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sinks.kafka import PLUGIN as SINK
from wire.sources.kafka import PLUGIN as SOURCE

LIMIT = ReadLimit(1000, 1 << 20)
DEADLINE_S = 120.0


@asynccontextmanager
async def kafka_source(bootstrap: str, *, bounded: bool = False, **config: Any) -> AsyncIterator[Any]:
    """A source with this configuration, given as YAML gives it."""
    findings: list[Finding] = []
    parsed = parse(SOURCE.config, {"bootstrap_servers": bootstrap, **config}, "$", findings)
    assert not findings, findings
    source = SOURCE.build(parsed, ComponentContext("test", "kafka", bounded=bounded))
    try:
        yield source
    finally:
        await source.close()


@asynccontextmanager
async def kafka_writer(bootstrap: str, **config: Any) -> AsyncIterator[Writer]:
    """An open writer with this configuration, given as YAML gives it."""
    findings: list[Finding] = []
    parsed = parse(SINK.config, {"bootstrap_servers": bootstrap, **config}, "$", findings)
    assert not findings, findings
    sink = SINK.build(parsed, ComponentContext("test", "kafka"))
    writer = await sink.open(TaskId("default/test"), 1, {})
    try:
        yield writer
    finally:
        await writer.close()


async def read_all(source: Source, resume: dict[PartitionId, Position] | None = None) -> list[Record]:
    """Read every partition of a bounded source to its end, one after the other."""
    records: list[Record] = []
    for partition in await source.partitions():
        reader = await source.open(partition, (resume or {}).get(partition))
        records += [record for batch in await read_to_end(reader) for record in batch.records]
        await reader.close()
    return records


async def read_to_end(reader: Reader, limit: ReadLimit = LIMIT) -> list[Batch]:
    """Return every batch until the partition has ended."""
    batches = []
    async with asyncio.timeout(DEADLINE_S):
        while (batch := await reader.read(limit)) is not None:
            batches.append(batch)
    return batches


async def read_count(reader: Reader, count: int, limit: ReadLimit = LIMIT) -> list[Batch]:
    """Return batches until they hold at least so many records."""
    batches: list[Batch] = []
    async with asyncio.timeout(DEADLINE_S):
        while sum(len(batch.records) for batch in batches) < count:
            batch = await reader.read(limit)
            assert batch is not None, "the partition ended early"
            batches.append(batch)
    return batches


def values(batches: Sequence[Batch]) -> list[bytes | None]:
    """Return the values of all records in order."""
    return [record.value for batch in batches for record in batch.records]


def batch_of(*records: Record, source: str = "source/0", **columns: list[Any]) -> Batch:
    """A batch as the engine hands it to a writer."""
    return Batch(PartitionId(source), Position(b""), list(records), columns=columns or None)


def record(value: bytes | None, key: bytes | None = None, offset: int = 0, **more: Any) -> Record:
    """A record with everything else at its plainest."""
    return Record(
        value=value, key=key, ts_ms=more.get("ts_ms", 1_700_000_000_000), headers=more.get("headers", ()), offset=offset
    )


def numbered(count: int, start: int = 0) -> list[bytes]:
    """Values that count up from `start`."""
    return [b'{"n":%d}' % n for n in range(start, start + count)]
