"""What the tests of the Elasticsearch source and sink share: components as the engine makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from wire.core.config import parse
from wire.core.errors import Finding
from wire.core.plugins import ComponentContext
from wire.core.ports import Failure, TaskId
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sinks.elasticsearch import PLUGIN as SINK


def elasticsearch_sink(url: str, **config: Any) -> Any:
    """A sink with this configuration, given as YAML gives it."""
    findings: list[Finding] = []
    parsed = parse(SINK.config, {"url": url, **config}, "$", findings)
    assert not findings, findings
    return SINK.build(parsed, ComponentContext("test", "elasticsearch"))


@asynccontextmanager
async def elasticsearch_writer(url: str, *, generation: int = 0, **config: Any) -> AsyncIterator[Any]:
    """An open writer with this configuration, given as YAML gives it."""
    sink = elasticsearch_sink(url, **config)
    writer = await sink.open(TaskId("default/test", generation=generation), 1, {})
    try:
        yield writer
    finally:
        await writer.close()


def keyed(*records: Record, **columns: list[Any]) -> Batch:
    """A batch as the engine hands it to a writer whose `id` is the record's key."""
    ids = [record.key and record.key.decode() for record in records]
    return Batch(PartitionId("p/0"), Position(b""), list(records), columns={"id": ids, **columns}, source="s")


def plain(*records: Record, **columns: list[Any]) -> Batch:
    """A batch as the engine hands it to a writer without `id`."""
    return Batch(PartitionId("p/0"), Position(b""), list(records), columns=columns or None, source="s")


def doc(value: bytes | None, key: bytes | None = None, offset: int = 0, ts_ms: int = 1_700_000_000_000) -> Record:
    """A record with everything else at its plainest."""
    return Record(value, key, ts_ms, (), offset)


def verdicts(failures: Sequence[Failure]) -> list[tuple[int, str]]:
    """Return the place in the first batch and the code of each failure."""
    assert not any(failure.batch for failure in failures)
    return [(failure.record, failure.error.code) for failure in failures]
