"""Writing to MongoDB in tests: a writer, records, and what is there afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from tests.services.mongodb_client import Database
from wire.core.config import parse
from wire.core.errors import Finding, RecordError
from wire.core.plugins import ComponentContext
from wire.core.ports import Failure, TaskId, Writer
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sinks.mongodb import PLUGIN


@asynccontextmanager
async def writer_to(uri: str, database: str, **config: Any) -> AsyncIterator[Writer]:
    """An open writer with this configuration, given as YAML gives it."""
    findings: list[Finding] = []
    given = {"uri": uri, "database": database, "collection": "docs", **config}
    parsed = parse(PLUGIN.config, given, "$", findings)
    assert not findings, findings
    sink = PLUGIN.build(parsed, ComponentContext("test", "mongodb"))
    writer: Writer = await sink.open(TaskId("default/test"), 1, {})
    try:
        yield writer
    finally:
        await writer.close()


def record(value: Any, key: bytes | None = None, offset: int = 0) -> Record:
    encoded = value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
    return Record(encoded, key, 0, (), offset)


def batch(*records: Record, **columns: list[Any]) -> Batch:
    return Batch(PartitionId("t/0"), Position(b""), list(records), columns=columns or None, source="kafka")


async def documents(database: Database, collection: str = "docs") -> dict[Any, dict[str, Any]]:
    return {document.pop("_id"): document for document in await database[collection].find().to_list()}


def codes(failures: Sequence[Failure]) -> list[tuple[int, str]]:
    assert all(isinstance(failure.error, RecordError) for failure in failures)
    return [(failure.record, failure.error.code) for failure in failures]
