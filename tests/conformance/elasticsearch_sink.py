"""Harness of the `elasticsearch` sink: indices of a real node, with and without versions."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Sequence

import pytest

from tests.services.elasticsearch_client import Elasticsearch
from wire.core.config import ByRecord, Expression
from wire.core.plugins import ComponentContext
from wire.core.ports import Sink
from wire.core.records import Batch
from wire.core.units import Size
from wire.sinks.elasticsearch import ElasticsearchSinkConfig
from wire.sinks.elasticsearch.sink import ElasticsearchSink
from wire.testing.harness import BreakableSinkHarness, RefusingSinkHarness


class OneIndex(RefusingSinkHarness, BreakableSinkHarness):
    """Every record a document of its own, named after its coordinates."""

    seeds = range(3)
    deadline_s = 100

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.cluster: Elasticsearch = request.getfixturevalue("elasticsearch")
        self.indices = [asyncio.run(self.cluster.create_index(MAPPINGS)) for _ in range(2)]

    def sink(self) -> Sink:
        return self.sink_with(index=self.indices[0])

    def sink_with(self, **config: object) -> Sink:
        parsed = ElasticsearchSinkConfig(url=self.cluster.url, **config)  # type: ignore[arg-type]
        return ElasticsearchSink(parsed, ComponentContext("conformance", "elasticsearch"))

    async def read_back(self) -> Sequence[bytes]:
        """Documents have no order among them; each knows its place in its partition."""
        hits = [hit for index in self.indices for hit in await self.cluster.hits(index)]
        return [json.dumps(hit["_source"], ensure_ascii=False).encode() for hit in sorted(hits, key=_place)]

    def refused(self) -> bytes:
        return b'{"partition": {"is": "not text"}}'

    async def take_away(self) -> None:
        for index in self.indices:
            await self.cluster.block_writes(index)

    async def bring_back(self) -> None:
        for index in self.indices:
            await self.cluster.allow_writes(index)


class ByTheRecord(OneIndex):
    """Computed indices, ids and versions, in small compressed requests."""

    def sink(self) -> Sink:
        return self.sink_with(
            index=ByRecord(expr=Expression("index")),
            id=Expression("id"),
            version=Expression("version"),
            max_request_size=Size(8000),
            compression="gzip",
        )

    def prepare(self, batch: Batch) -> Batch:
        index = self.indices[zlib.crc32(batch.partition.encode()) % 2]
        batch.columns = {
            "index": [index] * len(batch.records),
            "id": [f"{batch.partition}/{record.offset}" for record in batch.records],
            "version": [record.offset for record in batch.records],
        }
        return batch


class Created(OneIndex):
    """Documents that are there are left alone."""

    def sink(self) -> Sink:
        return self.sink_with(index=self.indices[0], op="create")


class Updated(OneIndex):
    """Documents merged into those that are there."""

    def sink(self) -> Sink:
        return self.sink_with(index=self.indices[0], op="update", id=Expression("id"))

    def prepare(self, batch: Batch) -> Batch:
        batch.columns = {"id": [f"{batch.partition}/{record.offset}" for record in batch.records]}
        return batch


MAPPINGS = {"dynamic": False, "properties": {"partition": {"type": "keyword"}}}


def _place(hit: dict[str, str]) -> tuple[str, int]:
    partition, _, offset = hit["_id"].rpartition("/")
    return partition, int(offset)


ELASTICSEARCH_SINKS = (OneIndex, ByTheRecord, Created, Updated)
