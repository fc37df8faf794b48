"""The API behind the node's own port, over real connections: bodies in chunks, and certificates that say who asks."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.integration.api.api_kit import YAML, Served, serving, spec
from tests.integration.node.listener_kit import serving_context
from wire.node.certificate_folder import CertificateFolder
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import listening
from wire.raft.transport.tls import TlsFiles

ALL = "/api/v1/pipelines"


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path, max_body_bytes=1000) as served:
        yield served


async def test_a_body_in_chunks_is_cut_off_at_the_limit(small: Served) -> None:
    async with listening("127.0.0.1:0", HttpServer(small.app), tls=None) as listener:
        host, _, port = listener.addresses[0].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        kind = "content-type: application/yaml"
        head = f"POST {ALL} HTTP/1.1\r\nhost: localhost\r\n{kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(head.encode() + b"3e8\r\n" + b"#" * 1000 + b"\r\n")
        await writer.drain()
        writer.write(b"1\r\n#\r\n")  # one too many, and more would come
        async with asyncio.timeout(60):
            answer = await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


async def test_a_name_that_was_pointed_at_this_machine_is_not_answered(api: Served) -> None:
    async with listening("127.0.0.1:0", HttpServer(api.app), tls=None) as listener:
        base = f"http://{listener.addresses[0]}"
        async with httpx.AsyncClient(base_url=base, trust_env=False) as browser:
            assert (await browser.get(ALL)).status_code == 200
            rebound = {"host": "evil.example:4001", "origin": "http://evil.example:4001"}
            refused = await browser.post(ALL, json=spec("a"), headers=rebound)
    assert (refused.status_code, refused.json()["code"]) == (421, "api.unknown_host")


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateFolder:
    folder, now, lifetime = CertificateFolder(tmp_path / "certs"), datetime.now(UTC), timedelta(days=1)
    folder.init("test", lifetime, now, replace=False)
    folder.issue_node("n1", ["127.0.0.1"], lifetime, now, replace=False)
    folder.issue_client("ada", lifetime, now, replace=False)
    return folder


def trusting(certificates: CertificateFolder, own: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates.authority))
    if own is not None:
        context.load_cert_chain(certificates.path / f"{own}.pem", certificates.path / f"{own}.key")
    return context


async def test_a_certificate_says_who_asks_and_the_history_remembers(
    api: Served, certificates: CertificateFolder
) -> None:
    files = TlsFiles(certificates.authority, certificates.path / "n1.pem", certificates.path / "n1.key")
    context = serving_context(files)
    async with listening("127.0.0.1:0", HttpServer(api.app), tls=lambda: context) as listener:
        base = f"https://{listener.addresses[0]}"
        async with httpx.AsyncClient(base_url=base, verify=trusting(certificates, None), trust_env=False) as nobody:
            refused = await nobody.post(ALL, json=spec("a"))
            assert (refused.status_code, refused.json()["code"]) == (401, "api.not_authenticated")
            assert (await nobody.get("/livez")).status_code == 200
        async with httpx.AsyncClient(base_url=base, verify=trusting(certificates, "ada"), trust_env=False) as ada:
            made = await ada.post(ALL, content="name: a\nsource: {type: generate}\nsink: {type: drop}", headers=YAML)
            assert made.status_code == 201
            (version,) = (await ada.get(f"{ALL}/a/versions")).json()["items"]
            assert version["author"] == "ada"
    assert api.machine.state.changes[-1].actor == "ada"
