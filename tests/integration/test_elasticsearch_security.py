"""Getting into a secured cluster, and being told clearly why not; servers that are something else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.integration.elasticsearch_kit import doc, elasticsearch_writer, plain
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.elasticsearch_secure import SecureElasticsearch
from wire.core.config import parse
from wire.core.errors import Finding, UnavailableError, WireError
from wire.core.plugins import ComponentContext
from wire.core.ports import TaskId
from wire.sinks.elasticsearch import PLUGIN as SINK

pytestmark = pytest.mark.elasticsearch


async def opening(url: str, **config: Any) -> WireError:
    """Return why a writer can't be opened."""
    with pytest.raises(WireError) as caught:
        async with elasticsearch_writer(url, index="x", **config):
            pass
    assert "secret" not in str(caught.value)
    return caught.value


async def test_in_with_password_api_key_and_client_certificate(elasticsearch_secure: SecureElasticsearch) -> None:
    server = elasticsearch_secure
    _, key = await server.new_api_key()
    tls = {"ca": str(server.ca_file)}
    login = {"username": server.username, "password": server.password}
    index = server.new_name()
    configs = [{**login, "tls": tls}, {"api_key": key, "tls": tls}, {**login, "tls": {"verify": "none"}}]
    configs.append({**login, "tls": {**tls, "cert": str(server.client_file)}})
    configs.append({**login, "tls": {**tls, "verify": "chain"}})
    for n, config in enumerate(configs):
        async with elasticsearch_writer(server.url, index=index, **config) as writer:
            assert not await writer.write([plain(doc(b"{}", offset=n))])
    assert len(await server.documents(index)) == len(configs)


async def test_refused_log_ins(elasticsearch_secure: SecureElasticsearch) -> None:
    server, tls = elasticsearch_secure, {"ca": str(elasticsearch_secure.ca_file)}
    wrong = [{"username": "wire", "password": "no-secret"}, {"api_key": "bm8tc2VjcmV0Om5v"}, {}]
    for login in wrong:
        error = await opening(server.url, tls=tls, **login)
        assert (type(error), error.code) == (UnavailableError, "sink.elasticsearch.authentication")
        assert error.hint


async def test_a_certificate_that_is_not_trusted(elasticsearch_secure: SecureElasticsearch) -> None:
    login = {"username": "wire", "password": "wire-secret"}
    error = await opening(elasticsearch_secure.url, **login)
    assert (type(error), error.code) == (UnavailableError, "sink.elasticsearch.tls")
    assert "tls.ca" in (error.hint or "")
    error = await opening(elasticsearch_secure.url, tls={"ca": "/no/such/file"}, **login)
    assert "/no/such/file" in error.message


async def test_http_where_https_is_spoken_and_the_other_way_round(
    elasticsearch_secure: SecureElasticsearch, elasticsearch: Elasticsearch
) -> None:
    error = await opening(elasticsearch_secure.url.replace("https", "http"))
    assert (type(error), error.code) == (UnavailableError, "sink.elasticsearch.unreachable")
    assert "https" in (error.hint or "")
    error = await opening(elasticsearch.url.replace("http", "https"))
    assert (type(error), error.code) == (UnavailableError, "sink.elasticsearch.tls")


async def test_a_missing_privilege_stops_the_pipeline(elasticsearch_secure: SecureElasticsearch) -> None:
    server = elasticsearch_secure
    login = {"username": server.guest, "password": server.guest_password, "tls": {"ca": str(server.ca_file)}}
    async with elasticsearch_writer(server.url, index=server.new_name(), **login) as writer:
        error = await refusal(writer)
    assert (type(error), error.code) == (UnavailableError, "sink.elasticsearch.authorization")
    assert "unauthorized for user [guest]" in error.message


async def test_a_key_that_is_revoked_while_it_is_used(elasticsearch_secure: SecureElasticsearch) -> None:
    server = elasticsearch_secure
    key_id, key = await server.new_api_key()
    config = {"api_key": key, "tls": {"ca": str(server.ca_file)}}
    async with elasticsearch_writer(server.url, index=server.new_name(), **config) as writer:
        assert not await writer.write([plain(doc(b"{}"))])
        await server.revoke_api_key(key_id)
        error = await refusal(writer)
    assert (type(error), error.code) == (UnavailableError, "sink.elasticsearch.authentication")


async def refusal(writer: Any) -> WireError:
    try:
        failures = await writer.write([plain(doc(b"{}"))])
    except WireError as exc:
        return exc
    error: WireError = failures[0].error
    return error


# servers that are something else: these can't be run here, so their first answers are played


@asynccontextmanager
async def playing(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> AsyncIterator[str]:
    """A server that answers every request so; the body gives its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        lines = [b"HTTP/1.1 " + status, b"content-type: application/json", b"content-length: %d" % len(body), *headers]
        writer.write(b"\r\n".join(lines) + b"\r\nconnection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


ELASTIC = b"X-elastic-product: Elasticsearch"
OPENSEARCH = b'{"version": {"distribution": "opensearch", "number": "2.11.0"}, "tagline": "The OpenSearch Project"}'


@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        (b'{"version": {"number": "7.17.9", "build_flavor": "default"}}', [ELASTIC], "Elasticsearch 7.17.9"),
        (b'{"version": {"number": "6.8.0"}}', [], "Elasticsearch 6.8.0"),
        (b'{"version": {"number": "10.0.0"}}', [ELASTIC], "Elasticsearch 10.0.0"),
        (OPENSEARCH, [], "OpenSearch 2.11.0"),
        (b"<html>Welcome to nginx!</html>", [], "something that is not Elasticsearch"),
    ],
)
async def test_another_product_or_version_is_named(body: bytes, headers: list[bytes], told: str) -> None:
    async with playing(body, *headers) as url:
        error = await opening(url)
    assert (type(error), error.code) == (UnavailableError, "sink.elasticsearch.unsupported")
    assert told in error.message
    assert "Elasticsearch 8 and 9" in (error.hint or "")


async def test_a_proxy_in_between_that_finds_no_server() -> None:
    async with playing(b"<html>Bad Gateway</html>", status=b"502 Bad Gateway") as url:
        error = await opening(url)
    assert (type(error), error.code) == (UnavailableError, "sink.elasticsearch.unreachable")
    assert "Bad Gateway" in error.message


async def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await opening(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert (type(error), error.code) == (UnavailableError, "sink.elasticsearch.unreachable")
    assert "connection refused" in error.message


async def test_a_cloud_id_that_is_none() -> None:
    findings: list[Finding] = []
    config = parse(SINK.config, {"cloud_id": "no-secret", "index": "x"}, "$", findings)
    sink = SINK.build(config, ComponentContext("test", "elasticsearch"))
    with pytest.raises(UnavailableError) as caught:
        await sink.open(TaskId("default/test"), 1, {})
    assert "`cloud_id`" in (caught.value.hint or "")
