"""Changes that share document and version, as in a MongoDB transaction, written by requests at once on a real node."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.elasticsearch_kit import doc, elasticsearch_writer, keyed
from tests.services.elasticsearch_client import Elasticsearch

pytestmark = pytest.mark.elasticsearch


async def test_the_last_of_them_stays(elasticsearch: Elasticsearch) -> None:
    index = elasticsearch.new_name()
    async with elasticsearch_writer(elasticsearch.url, index=index, id="meta_key()") as writer:
        for version in range(1, 11):
            many = [doc(b'{"n":%d}' % n, b"other %d" % n, version) for n in range(2000)]
            put, last = doc(b'{"n":1}', b"k", version), doc(b'{"n":%d}' % version, b"j", version)
            writes = [
                keyed(*many, put, put),
                keyed(doc(None, b"k", version), put),
                keyed(doc(None, b"k", version), last),
            ]
            assert not any(await asyncio.gather(*(writer.write([batch]) for batch in writes)))
            found = await elasticsearch.documents(index)
            assert "k" not in found
            assert found["j"] == {"n": version}
