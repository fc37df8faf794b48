"""The Elasticsearch source against a real node: what is read, what a position means later, what gets in the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest

from tests.conformance.elasticsearch_source import bulk
from tests.services.elasticsearch import ElasticsearchServer
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.elasticsearch_secure import SecureElasticsearch
from tests.waiting import insist
from wire.core.config import parse
from wire.core.errors import FatalError, Finding, RetryableError, UnavailableError
from wire.core.plugins import ComponentContext
from wire.core.ports import Reader, ReadLimit, Source
from wire.core.records import PartitionId, Position, Record
from wire.sources.elasticsearch import PLUGIN

pytestmark = pytest.mark.elasticsearch
LIMIT = ReadLimit(1000, 1 << 20)
DEADLINE_S = 120.0


@asynccontextmanager
async def source_of(url: str, **config: Any) -> AsyncIterator[Source]:
    """A source with this configuration, given as YAML gives it."""
    findings: list[Finding] = []
    parsed = parse(PLUGIN.config, {"url": url, **config}, "$", findings)
    assert not findings, findings
    source: Source = PLUGIN.build(parsed, ComponentContext("test", "elasticsearch"))
    try:
        yield source
    finally:
        await source.close()


async def filled(server: Elasticsearch, documents: Mapping[str, Any], *, shards: int = 1, **mappings: Any) -> str:
    """An index that holds these documents, by id."""
    index = await server.create_index({"dynamic": False, **mappings}, {"number_of_shards": shards})
    await write(server, index, documents)
    return index


async def write(server: Elasticsearch, index: str, documents: Mapping[str, Any]) -> None:
    if not documents:
        return
    lines = b"".join(
        msgspec.json.encode({"index": {"_id": key}}) + b"\n" + msgspec.json.encode(value) + b"\n"
        for key, value in documents.items()
    )
    await bulk(server, f"/{index}/_bulk", lines)


def numbered(start: int, stop: int, **more: Any) -> dict[str, Any]:
    return {f"d{n}": {"n": n, **more} for n in range(start, stop)}


async def rest(reader: Reader, limit: ReadLimit = LIMIT) -> list[Record]:
    """Read to the end, as the engine does where reading may fail for a while."""
    records: list[Record] = []
    async with asyncio.timeout(DEADLINE_S):
        while True:
            batch = await insist(lambda: reader.read(limit), RetryableError, DEADLINE_S)
            if batch is None:
                return records
            records += batch.records


async def everything(source: Source, resume: Mapping[PartitionId, Position] | None = None) -> list[Record]:
    """Read every partition to its end, one after the other."""
    records = []
    for partition in await source.partitions():
        reader = await source.open(partition, (resume or {}).get(partition))
        records += await rest(reader)
        await reader.close()
    return records


def by_id(records: list[Record]) -> dict[str, Any]:
    """The documents by id; none may come twice."""
    found = {(record.key or b"").decode(): msgspec.json.decode(record.value or b"") for record in records}
    assert len(found) == len(records)
    return found


async def test_every_document_of_every_shard_is_read_once(elasticsearch_any: Elasticsearch) -> None:
    documents = numbered(0, 2500)
    index = await filled(elasticsearch_any, documents, shards=3)
    async with source_of(elasticsearch_any.url, index=index) as source:
        assert [*await source.partitions()] == [f"{index}/{n}" for n in range(3)]
        records = await everything(source)
    assert by_id(records) == documents
    for record in records[:10]:
        headers = dict(record.headers)
        found = await elasticsearch_any.request("GET", f"/{index}/_doc/{(record.key or b'').decode()}")
        assert headers["elasticsearch.index"] == index.encode()
        assert int(headers["elasticsearch.seq_no"]) == record.offset == found["_seq_no"]
        assert int(headers["elasticsearch.primary_term"]) == found["_primary_term"]


async def test_a_position_means_the_same_long_after_its_point_in_time(elasticsearch_any: Elasticsearch) -> None:
    index = await filled(elasticsearch_any, numbered(0, 50))
    async with source_of(elasticsearch_any.url, index=index, page_records=7) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        batch = await reader.read(ReadLimit(20, 1 << 20))
        assert batch is not None
        while len(batch.records) < 20:
            more = await reader.read(ReadLimit(20 - len(batch.records), 1 << 20))
            assert more is not None
            batch.records += more.records
            batch.position = more.position
    read = by_id(batch.records)
    assert read == numbered(0, 20)
    await write(elasticsearch_any, index, {"d3": {"n": 3, "again": True}, "d30": {"n": 30, "again": True}})
    await elasticsearch_any.request("DELETE", f"/{index}/_doc/d40")
    await elasticsearch_any.request("DELETE", f"/{index}/_doc/d4")
    await write(elasticsearch_any, index, {"new": {"n": 50}})
    await elasticsearch_any.request("POST", f"/{index}/_forcemerge?max_num_segments=1")
    async with source_of(elasticsearch_any.url, index=index) as source:
        found = by_id(await everything(source, {partition: batch.position}))
    expected = numbered(20, 50) | {"d3": {"n": 3, "again": True}, "d30": {"n": 30, "again": True}, "new": {"n": 50}}
    del expected["d40"]
    assert found == expected


async def test_a_later_run_reads_what_was_written_since(elasticsearch: Elasticsearch) -> None:
    index = await filled(elasticsearch, numbered(0, 5))
    async with source_of(elasticsearch.url, index=index) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        batch = await reader.read(LIMIT)
        assert batch is not None
        assert await reader.read(LIMIT) is None
        assert await reader.read(LIMIT) is None
    await write(elasticsearch, index, numbered(5, 7))
    async with source_of(elasticsearch.url, index=index) as source:
        assert by_id(await everything(source, {partition: batch.position})) == numbered(5, 7)


async def test_a_node_that_restarts_and_forgets_its_points_in_time_is_survived(
    own_elasticsearch: ElasticsearchServer,
) -> None:
    documents = numbered(0, 500)
    index = await filled(own_elasticsearch, documents, shards=2)
    async with source_of(own_elasticsearch.url, index=index, page_records=10) as source:
        readers = [await source.open(partition, None) for partition in await source.partitions()]
        records: list[Record] = []
        for reader in readers:
            batch = await reader.read(ReadLimit(3, 1 << 20))
            assert batch is not None
            records += batch.records
        own_elasticsearch.kill()
        assert (await trouble_with(readers[0], records)).code == "source.elasticsearch.unreachable"
        await own_elasticsearch.start()
        for reader in readers:
            records += await rest(reader)
    assert by_id(records) == documents


async def trouble_with(reader: Reader, records: list[Record]) -> RetryableError:
    """Read until that fails for a while."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                batch = await reader.read(ReadLimit(10, 1 << 20))
            except RetryableError as exc:
                return exc
            assert batch is not None
            records += batch.records


@pytest.mark.parametrize("when", ["opened", "half read"])
async def test_an_index_made_anew_is_not_taken_for_the_one_before(elasticsearch: Elasticsearch, when: str) -> None:
    index = await filled(elasticsearch, numbered(0, 50))
    async with source_of(elasticsearch.url, index=index, page_records=5) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        batch = await reader.read(ReadLimit(1, 1 << 20))
        assert batch is not None
        await elasticsearch.request("DELETE", f"/{index}")
        settings = {"settings": {"number_of_replicas": 0}}
        await elasticsearch.request("PUT", f"/{index}", settings)
        await write(elasticsearch, index, numbered(0, 50))
        async with source_of(elasticsearch.url, index=index) as another:
            failing = rest(reader) if when == "half read" else another.open(partition, batch.position)
            with pytest.raises(FatalError) as caught:
                await failing
    assert caught.value.code == "source.elasticsearch.position_lost"
    assert caught.value.hint


async def test_a_query_says_which_documents_are_read(elasticsearch: Elasticsearch) -> None:
    index = await filled(elasticsearch, numbered(0, 100), properties={"n": {"type": "integer"}})
    async with source_of(elasticsearch.url, index=index, query={"range": {"n": {"gte": 90}}}) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        batch = await reader.read(ReadLimit(4, 1 << 20))
        assert batch is not None
        assert reader.lag().records == 6
        assert by_id(batch.records + await rest(reader)) == numbered(90, 100)
    async with source_of(elasticsearch.url, index=index, query={"rang": {}}) as source:
        with pytest.raises(FatalError, match="rang") as caught:
            await everything(source)
    assert caught.value.code == "source.elasticsearch.rejected"


async def test_names_patterns_aliases_and_their_filters(elasticsearch: Elasticsearch) -> None:
    one = await filled(elasticsearch, numbered(0, 10), properties={"n": {"type": "integer"}})
    other = await filled(elasticsearch, numbered(10, 20))
    alias = f"a{one}"
    only_even = {"terms": {"n": [0, 2, 4, 6, 8]}}
    actions = [
        {"add": {"index": one, "alias": alias, "filter": only_even}},
        {"add": {"index": other, "alias": alias}},
    ]
    await elasticsearch.request("POST", "/_aliases", {"actions": actions})

    async def ids(**config: Any) -> set[str]:
        async with source_of(elasticsearch.url, **config) as source:
            return set(by_id(await everything(source)))

    assert await ids(index=[one, other]) == {f"d{n}" for n in range(20)}
    assert await ids(index=f"{one},{other}") == {f"d{n}" for n in range(20)}
    assert await ids(index=f"{one[:-2]}*") == {f"d{n}" for n in range(10)}
    assert await ids(index=alias) == {"d0", "d2", "d4", "d6", "d8", *(f"d{n}" for n in range(10, 20))}
    assert await ids(index=alias, query={"ids": {"values": ["d1", "d2", "d11"]}}) == {"d2", "d11"}


@pytest.mark.parametrize("name", ["missing-{}", "missing-{}-*"])
async def test_an_index_that_is_not_there_is_told(elasticsearch: Elasticsearch, name: str) -> None:
    name = name.format(elasticsearch.new_name())
    async with source_of(elasticsearch.url, index=name) as source:
        with pytest.raises(UnavailableError, match=name.replace("*", ".")) as caught:
            await source.partitions()
    assert caught.value.code == "source.elasticsearch.missing_index"
    assert caught.value.hint


async def test_an_index_that_is_deleted_meanwhile_is_told(elasticsearch: Elasticsearch) -> None:
    index = await filled(elasticsearch, numbered(0, 50))
    async with source_of(elasticsearch.url, index=index, page_records=5) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        await reader.read(ReadLimit(1, 1 << 20))
        await elasticsearch.request("DELETE", f"/{index}")
        with pytest.raises(UnavailableError) as caught:
            await rest(reader)
    assert caught.value.code == "source.elasticsearch.missing_index"


async def test_values_are_the_very_bytes_that_were_sent_in(elasticsearch: Elasticsearch) -> None:
    index = await filled(elasticsearch, {})
    odd = b'{ "n":1.00,  "big":123456789012345678901234567890,"e":"\\u00e9" }'
    await bulk(elasticsearch, f"/{index}/_bulk?refresh=true", b'{"index":{"_id":"a"}}\n' + odd + b"\n")
    async with source_of(elasticsearch.url, index=index) as source:
        assert [record.value for record in await everything(source)] == [odd]


async def test_line_breaks_between_fields_are_left_out(elasticsearch: Elasticsearch) -> None:
    index = await filled(elasticsearch, {})
    path = f"/{index}/_doc/a?refresh=true"
    async with httpx.AsyncClient(base_url=elasticsearch.url) as client:
        await client.put(path, content=b'{\n  "n": 1.00,\r\n "t": "\\n"}', headers={"content-type": "application/json"})
    async with source_of(elasticsearch.url, index=index) as source:
        assert [record.value for record in await everything(source)] == [b'{"n":1.00,"t":"\\n"}']


async def test_routing_is_a_header(elasticsearch: Elasticsearch) -> None:
    index = await filled(elasticsearch, {})
    await elasticsearch.request("PUT", f"/{index}/_doc/a?refresh=true&routing=r1", {"n": 1})
    async with source_of(elasticsearch.url, index=index) as source:
        (record,) = await everything(source)
    assert dict(record.headers)["elasticsearch.routing"] == b"r1"


async def test_an_index_without_source_is_told(elasticsearch: Elasticsearch) -> None:
    index = await filled(elasticsearch, numbered(0, 1), _source={"enabled": False})
    async with source_of(elasticsearch.url, index=index) as source:
        with pytest.raises(FatalError) as caught:
            await everything(source)
    assert caught.value.code == "source.elasticsearch.no_source"


async def test_large_documents_are_asked_for_in_smaller_pages(elasticsearch: Elasticsearch) -> None:
    documents = numbered(0, 300, pad="x" * 50_000)
    index = await filled(elasticsearch, numbered(0, 100))
    await write(elasticsearch, index, documents)
    async with source_of(elasticsearch.url, index=index, page_size="1MiB") as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        batches = []
        while (batch := await reader.read(ReadLimit(10_000, 1 << 30))) is not None:
            batches.append(batch)
    assert by_id([record for batch in batches for record in batch.records]) == documents
    assert all(len(batch.records) <= 21 for batch in batches[1:])


async def test_points_in_time_are_closed(own_elasticsearch: ElasticsearchServer) -> None:
    index = await filled(own_elasticsearch, numbered(0, 50), shards=3)
    async with source_of(own_elasticsearch.url, index=index, page_records=2) as source:
        for partition in await source.partitions():
            await (await source.open(partition, None)).read(LIMIT)
        assert await open_contexts(own_elasticsearch) == 3
    assert await open_contexts(own_elasticsearch) == 0


async def open_contexts(server: Elasticsearch) -> int:
    stats = await server.request("GET", "/_nodes/stats/indices/search")
    return sum(int(node["indices"]["search"]["open_contexts"]) for node in stats["nodes"].values())


async def test_without_the_right_to_read_the_pipeline_stops(elasticsearch_secure: SecureElasticsearch) -> None:
    index = await elasticsearch_secure.create_index()
    login = {"username": elasticsearch_secure.guest, "password": elasticsearch_secure.guest_password}
    tls = {"ca": str(elasticsearch_secure.ca_file)}
    async with source_of(elasticsearch_secure.url, index=index, tls=tls, **login) as source:
        with pytest.raises(UnavailableError) as caught:
            await source.partitions()
    assert caught.value.code == "source.elasticsearch.authorization"
