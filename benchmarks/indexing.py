"""The Elasticsearch of a run: how much has arrived in an index, and whether it is all there."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from benchmarks import jobs
from benchmarks.counter import Counted, Tally
from tests.services import java
from tests.services.elasticsearch import ElasticsearchServer
from tests.services.elasticsearch_client import Elasticsearch

ENV = "WIRE_TEST_ELASTICSEARCH"
_HEAP = "4g"  # with less the cluster refuses requests (429) now and then, and its pauses are measured instead
_PAGE = 10_000
_DEADLINE_S = 60.0
# only what the counter reads is indexed: the work of the contenders is measured, not that of the cluster
_MAPPINGS = {"dynamic": False, "properties": {"id": {"type": "long"}}}
_SETTINGS = {"index.refresh_interval": -1}


@asynccontextmanager
async def search_cluster() -> AsyncIterator[Elasticsearch]:
    """Give a cluster until the block ends: one of our own, or the one `WIRE_TEST_ELASTICSEARCH` names."""
    if url := os.environ.get(ENV):
        yield Elasticsearch(url)
        return
    async with ElasticsearchServer(jvm=java.lasting(_HEAP)) as server:
        yield server


async def create(cluster: Elasticsearch) -> str:
    """Create an index for the records of `jobs`, and return its name."""
    return await cluster.create_index(_MAPPINGS, _SETTINGS)


async def arrived(client: httpx.AsyncClient, index: str) -> int:
    """Return how many documents were written, those that can't be searched for yet included."""
    answer = await client.get(f"/{index}/_stats/indexing?filter_path=_all.primaries.indexing.index_total")
    return int(answer.raise_for_status().json()["_all"]["primaries"]["indexing"]["index_total"])


async def tally(cluster: Elasticsearch, index: str, records: int) -> Counted:
    """Read the whole index and count its records."""
    await cluster.request("POST", f"/{index}/_refresh")
    seen = Tally(records, filtered=False)
    search: dict[str, Any] = {"size": _PAGE, "_source": False, "docvalue_fields": ["id"], "sort": ["_doc"]}
    answer = await cluster.request("POST", f"/{index}/_search?scroll=1m", search, deadline_s=_DEADLINE_S)
    while hits := answer["hits"]["hits"]:
        for hit in hits:
            seen.add(hit["fields"]["id"][0] - jobs.ID_BASE)
        page = {"scroll": "1m", "scroll_id": answer["_scroll_id"]}
        answer = await cluster.request("POST", "/_search/scroll", page, deadline_s=_DEADLINE_S)
    return Counted(seen.records, seen.missing, seen.repeated, seen.unexpected)
