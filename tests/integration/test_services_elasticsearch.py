"""The launcher itself: what the tests of the Elasticsearch sink lean on."""

from __future__ import annotations

import ssl

import httpx
import pytest

from tests.services.elasticsearch import ElasticsearchServer
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.elasticsearch_secure import SecureElasticsearch

pytestmark = pytest.mark.elasticsearch


async def test_documents_come_back_by_id(elasticsearch_any: Elasticsearch) -> None:
    index = await elasticsearch_any.create_index()
    assert await elasticsearch_any.documents(index) == {}
    await elasticsearch_any.request("PUT", f"/{index}/_doc/a?version=7&version_type=external", {"n": 1})
    assert await elasticsearch_any.documents(index) == {"a": {"n": 1}}
    assert [hit["_version"] for hit in await elasticsearch_any.hits(index)] == [7]


async def test_an_index_that_is_not_there_has_no_documents(elasticsearch: Elasticsearch) -> None:
    assert await elasticsearch.documents(elasticsearch.new_name()) == {}


async def test_a_full_disk_is_refused_until_there_is_room(elasticsearch: Elasticsearch) -> None:
    index = await elasticsearch.create_index()
    await elasticsearch.block_writes(index)
    with pytest.raises(httpx.HTTPStatusError, match=r"429 .* flood-stage"):
        await elasticsearch.request("POST", f"/{index}/_doc", {})
    await elasticsearch.allow_writes(index)
    await elasticsearch.request("POST", f"/{index}/_doc", {})


async def test_a_killed_node_comes_back_with_what_it_acknowledged(own_elasticsearch: ElasticsearchServer) -> None:
    index, pid = await own_elasticsearch.create_index(), own_elasticsearch.pid
    await own_elasticsearch.request("PUT", f"/{index}/_doc/a", {"n": 1})
    own_elasticsearch.kill()
    assert not await own_elasticsearch.answers()
    await own_elasticsearch.start()
    assert await own_elasticsearch.documents(index) == {"a": {"n": 1}}
    assert own_elasticsearch.pid != pid


async def test_a_frozen_node_answers_only_when_it_is_thawed(own_elasticsearch: ElasticsearchServer) -> None:
    own_elasticsearch.pause()
    assert not await own_elasticsearch.answers()
    own_elasticsearch.resume()
    await own_elasticsearch.create_index()


async def _status(server: SecureElasticsearch, **login: object) -> int:
    tls = ssl.create_default_context(cafile=str(server.ca_file))
    async with httpx.AsyncClient(base_url=server.url, verify=tls, **login) as client:
        return (await client.get("/_cluster/health")).status_code


async def test_a_user_is_let_in_by_password(elasticsearch_secure: SecureElasticsearch) -> None:
    server = elasticsearch_secure
    assert await _status(server, auth=(server.username, server.password)) == 200
    assert await _status(server, auth=(server.username, "wrong")) == 401
    assert await _status(server, auth=(server.guest, server.guest_password)) == 403
    assert await _status(server) == 401


async def test_a_client_is_let_in_by_api_key_until_it_is_revoked(elasticsearch_secure: SecureElasticsearch) -> None:
    number, key = await elasticsearch_secure.new_api_key()
    header = {"Authorization": f"ApiKey {key}"}
    assert await _status(elasticsearch_secure, headers=header) == 200
    await elasticsearch_secure.revoke_api_key(number)
    assert await _status(elasticsearch_secure, headers=header) == 401
