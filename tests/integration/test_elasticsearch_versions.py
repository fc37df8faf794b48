"""Which version of a document stays in Elasticsearch, whatever comes last and however often."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.elasticsearch_kit import doc, elasticsearch_writer, keyed, verdicts
from tests.services.elasticsearch_client import Elasticsearch
from wire.core.errors import RecordError

pytestmark = pytest.mark.elasticsearch

KEY = {"id": "meta_key()"}


async def versions(cluster: Elasticsearch, index: str) -> dict[str, int]:
    return {hit["_id"]: hit["_version"] for hit in await cluster.hits(index)}


async def test_the_newest_version_stays_whatever_comes_last(elasticsearch_any: Elasticsearch) -> None:
    index = elasticsearch_any.new_name()
    async with elasticsearch_writer(elasticsearch_any.url, index=index, **KEY) as writer:
        assert not await writer.write([keyed(doc(b'{"n":2}', b"k", 2))])
        assert not await writer.write([keyed(doc(b'{"n":1}', b"k", 1))])
        assert await elasticsearch_any.documents(index) == {"k": {"n": 2}}
        assert writer.counts == {"replayed": 0, "superseded": 1}
        assert not await writer.write([keyed(doc(b'{"n":4}', b"j", 2), doc(b'{"n":3}', b"j", 2))])
    assert await elasticsearch_any.documents(index) == {"k": {"n": 2}, "j": {"n": 3}}  # one transaction, one version
    assert await versions(elasticsearch_any, index) == {"k": 2, "j": 2}


async def test_with_external_a_version_that_is_there_is_a_replay(elasticsearch_any: Elasticsearch) -> None:
    index = elasticsearch_any.new_name()
    async with elasticsearch_writer(elasticsearch_any.url, index=index, version_type="external", **KEY) as writer:
        for n in (5, 5, 4, 6):
            assert not await writer.write([keyed(doc(b'{"n":%d}' % n, b"k", n))])
        assert writer.counts == {"replayed": 1, "superseded": 1}
    assert await elasticsearch_any.documents(index) == {"k": {"n": 6}}


async def test_a_version_of_its_own(elasticsearch: Elasticsearch) -> None:
    index = elasticsearch.new_name()
    records = [doc(b'{"n":%d}' % n, b"k", n) for n in range(5)]
    async with elasticsearch_writer(elasticsearch.url, index=index, version="v", **KEY) as writer:
        failures = await writer.write([keyed(*records, version=[3, None, -1, 2**63, "x"])])
        assert verdicts(failures) == [(n, "sink.elasticsearch.invalid_version") for n in (1, 2, 3, 4)]
        assert all(isinstance(failure.error, RecordError) for failure in failures)
    assert await versions(elasticsearch, index) == {"k": 3}


async def test_progress_that_was_reset_makes_newer_versions(elasticsearch: Elasticsearch) -> None:
    index, clock = elasticsearch.new_name(), 1_700_000_000 << 32
    async with elasticsearch_writer(elasticsearch.url, index=index, **KEY) as writer:
        assert not await writer.write([keyed(doc(b'{"n":1}', b"k", 900), doc(b'{"n":1}', b"clock", clock + 1))])
    async with elasticsearch_writer(elasticsearch.url, generation=1, index=index, **KEY) as writer:
        assert not await writer.write([keyed(doc(b'{"n":2}', b"k", 3), doc(b'{"n":2}', b"clock", clock))])
    assert await elasticsearch.documents(index) == {"k": {"n": 2}, "clock": {"n": 1}}


async def test_tombstones_delete_and_nothing_older_comes_back(elasticsearch_any: Elasticsearch) -> None:
    index = elasticsearch_any.new_name()
    async with elasticsearch_writer(elasticsearch_any.url, index=index, **KEY) as writer:
        assert not await writer.write([keyed(doc(b"{}", b"a", 1), doc(b"{}", b"b", 2), doc(None, b"a", 3))])
        assert not await writer.write([keyed(doc(None, b"never there", 4), doc(b"{}", b"a", 1), doc(None, b"b", 1))])
        assert writer.counts["superseded"] == 2
    assert (await elasticsearch_any.documents(index)).keys() == {"b"}


async def test_many_writes_at_once_end_with_the_newest(elasticsearch_any: Elasticsearch) -> None:
    index = elasticsearch_any.new_name()
    async with elasticsearch_writer(elasticsearch_any.url, index=index, max_in_flight=8, **KEY) as writer:
        assert writer.max_in_flight == 8
        for start in range(0, 400, 80):
            writes = [
                keyed(*(doc(b'{"n":%d}' % n, b"%d" % (n % 7), n) for n in range(i, i + 10)))
                for i in range(start, start + 80, 10)
            ]
            assert not any(await asyncio.gather(*(writer.write([batch]) for batch in reversed(writes))))
    assert {hit["_source"]["n"] for hit in await elasticsearch_any.hits(index)} == set(range(393, 400))
