"""Harness of the `elasticsearch` source: indices of a real node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import msgspec
import pytest

from tests.services.elasticsearch_client import Elasticsearch
from wire.core.plugins import ComponentContext
from wire.core.ports import Source
from wire.core.records import PartitionId
from wire.sources.elasticsearch import ElasticsearchSourceConfig
from wire.sources.elasticsearch.source import ElasticsearchSource
from wire.testing.harness import FixedSourceHarness


class ElasticsearchIndices(FixedSourceHarness):
    """As many indices of one shard as there are partitions, read in pages of three."""

    seeds = range(2)
    deadline_s = 100

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.server: Elasticsearch = request.getfixturevalue("elasticsearch")
        self.name = self.server.new_name()

    async def fill(self, values: Sequence[Sequence[bytes]]) -> Mapping[PartitionId, Sequence[bytes]]:
        return {
            PartitionId(f"{self.name}-{number}/0"): await self.index(f"{self.name}-{number}", each)
            for number, each in enumerate(values)
        }

    async def index(self, index: str, values: Sequence[bytes]) -> Sequence[bytes]:
        settings = {"number_of_replicas": 0, "number_of_shards": 1}
        mappings = {"dynamic": False}
        await self.server.request("PUT", f"/{index}", {"settings": settings, "mappings": mappings})
        if values:
            lines = b"".join(b'{"index":{"_id":"%d"}}\n%b\n' % item for item in enumerate(values))
            await bulk(self.server, f"/{index}/_bulk", lines)
        return values

    def source(self, *, bounded: bool) -> Source:
        return self.source_of(f"{self.name}-*", bounded=bounded)

    def elsewhere(self) -> Source:
        return self.source_of("elsewhere", bounded=True)

    def source_of(self, index: str, *, bounded: bool) -> Source:
        config = ElasticsearchSourceConfig(url=self.server.url, index=index, page_records=3)
        return ElasticsearchSource(config, ComponentContext("conformance", "elasticsearch", bounded=bounded))


async def bulk(server: Elasticsearch, path: str, lines: bytes) -> dict[str, Any]:
    """Send a bulk request, and fail unless all of it succeeds."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        response = await client.post(path, content=lines, headers={"content-type": "application/x-ndjson"})
    answer: dict[str, Any] = msgspec.json.decode(response.content)
    assert response.is_success, answer
    assert not answer["errors"], answer
    return answer


ELASTICSEARCH_SOURCES = (ElasticsearchIndices,)
