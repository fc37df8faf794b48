"""A node's certificate is renewed without a restart: seen by real handshakes, before and after."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.node.listener_kit import App
from tests.waiting import until
from wire.core.errors import UnavailableError
from wire.node.certificate_folder import CertificateFolder
from wire.node.credentials import Contexts, Credentials, load_contexts
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import RPC, Listener, listening
from wire.raft.transport.tls import TlsFiles
from wire.testing.clock import VirtualClock

NOW = datetime.now(UTC)
LOOK_S = 0.005


class Node:
    """The files of n1, and what its credentials told of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = CertificateFolder(folder)
        self.folder.init("test", timedelta(days=100), NOW, replace=False)
        self.issue(20, replace=False)
        self.files = TlsFiles(folder / "ca.pem", folder / "n1.pem", folder / "n1.key")
        self.renewed: list[Contexts] = []

    def issue(self, days: float, name: str = "n1", *, replace: bool = True) -> None:
        self.folder.issue_node(name, [], timedelta(days=days), NOW, replace=replace)

    def credentials(self, clock: VirtualClock | None = None) -> Credentials:
        return Credentials(self.files, "n1", renewed=self.renewed.append, clock=clock)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "certs")


@asynccontextmanager
async def watched(credentials: Credentials) -> AsyncIterator[Listener]:
    async with (
        listening("127.0.0.1:0", HttpServer(App()), tls=credentials.server) as listener,
        asyncio.TaskGroup() as group,
    ):
        watching = group.create_task(credentials.watch(LOOK_S))
        yield listener
        watching.cancel()


async def serial_shown(listener: Listener, node: Node) -> bytes:
    """Shake hands, and return the certificate that is shown."""
    context = ssl.create_default_context(cafile=str(node.files.ca))
    host, _, port = listener.addresses[0].rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname="localhost")
    try:
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return shown
    finally:
        writer.transport.abort()


async def test_a_renewed_certificate_is_shown_without_a_restart_and_used_to_dial(node: Node) -> None:
    credentials = node.credentials()
    before = credentials.current
    async with watched(credentials) as listener:
        first = await serial_shown(listener, node)
        node.issue(90)
        await until(lambda: bool(node.renewed))
        assert await serial_shown(listener, node) != first
        assert credentials.days_left > 80
        assert node.renewed == [credentials.current]
        assert credentials.rpc() is not before.rpc
        assert credentials.rpc() is credentials.current.rpc


async def test_connections_that_are_up_stay_up(node: Node) -> None:
    credentials = node.credentials()
    async with watched(credentials) as listener:
        context = ssl.create_default_context(cafile=str(node.files.ca))
        host, _, port = listener.addresses[0].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname="localhost")
        node.issue(90)
        await until(lambda: bool(node.renewed))
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        async with asyncio.timeout(60):
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        writer.transport.abort()


@pytest.mark.parametrize("wrong", ["key of another", "not written yet", "gone", "another's", "another authority's"])
async def test_files_that_do_not_belong_together_are_told_of_once_and_the_old_ones_stay(
    node: Node, tmp_path: Path, wrong: str
) -> None:
    other = Node(tmp_path / "other")
    other.issue(90, "n2", replace=False)
    credentials = node.credentials()
    async with watched(credentials) as listener:
        first = await serial_shown(listener, node)
        with capture_logs() as logs:
            match wrong:
                case "key of another":
                    shutil.copy(tmp_path / "other" / "n1.key", tmp_path / "certs" / "n1.key")
                case "not written yet":
                    (tmp_path / "certs" / "n1.pem").write_text("-----BEGIN CERT")
                case "gone":
                    (tmp_path / "certs" / "n1.key").unlink()
                case "another's":
                    for name in ("ca.pem", "n2.pem", "n2.key"):
                        shutil.copy(tmp_path / "other" / name, tmp_path / "certs" / name.replace("n2", "n1"))
                case _:
                    for name in ("n1.pem", "n1.key"):
                        shutil.copy(tmp_path / "other" / name, tmp_path / "certs" / name)
            await until(lambda: bool(_of_certificates(logs)))
            looks = _count_looks(credentials)
            await until(lambda: len(looks) > 10)
        (line,) = _of_certificates(logs)
        assert (line["event"], line["code"]) == ("certificate_not_renewed", "node.certificates")
        assert node.renewed == []
        node.files.ca.write_bytes(node.folder.authority.read_bytes())
        if wrong != "another's":
            assert await serial_shown(listener, node) == first
            node.issue(90)
            await until(lambda: bool(node.renewed))


def _of_certificates(logs: Sequence[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    return [line for line in logs if line["event"].startswith("certificate")]


def _count_looks(credentials: Credentials) -> list[None]:
    """Return a list that grows with each look at the files."""
    looks: list[None] = []
    look = credentials._look

    async def counted() -> None:
        await look()
        looks.append(None)

    credentials._look = counted  # type: ignore[method-assign] # to count
    return looks


async def test_an_authority_that_is_no_longer_trusted_is_no_longer_trusted(node: Node, tmp_path: Path) -> None:
    old = Node(tmp_path / "old")
    both = node.folder.authority.read_bytes() + old.folder.authority.read_bytes()
    only = node.folder.authority.read_bytes()
    node.files.ca.write_bytes(both)
    credentials = node.credentials()
    async with watched(credentials):
        assert len(credentials.current.server.get_ca_certs()) == 2
        node.files.ca.write_bytes(only)
        await until(lambda: bool(node.renewed))
        assert len(credentials.current.server.get_ca_certs()) == 1
        assert len(credentials.current.raft.get_ca_certs()) == 1


async def test_the_log_warns_before_a_certificate_expires_once_for_each_step(node: Node) -> None:
    clock = VirtualClock(start_ms=int(NOW.timestamp() * 1000))
    credentials = node.credentials(clock)
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(credentials.watch(interval_s=21_600))
            for _ in range(88):
                await until(lambda: clock.sleepers == 1)  # it has looked, in another thread
                await clock.advance(21_600)
            watching.cancel()
    assert [line["event"] for line in logs] == ["certificate_expires"] * 4 + ["certificate_expired"]
    assert all("wire certs issue n1" in line["hint"] for line in logs)
    assert [line["days_left"] for line in logs] == pytest.approx([14, 7, 3, 1, 0], abs=0.3)


async def test_contexts_say_what_they_speak_and_ask_for(node: Node) -> None:
    contexts = load_contexts(node.files, "n1")
    assert contexts.server.verify_mode == ssl.CERT_OPTIONAL
    assert contexts.server.num_tickets == 0
    for context in (contexts.raft, contexts.rpc):
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert RPC == "wire-rpc/1"


async def test_at_the_start_a_certificate_of_another_node_is_refused(node: Node) -> None:
    with pytest.raises(UnavailableError) as failure:
        load_contexts(node.files, "n2")
    assert failure.value.code == "node.certificates"
    assert "the certificate is one for n1, localhost, not for n2" in failure.value.message
    assert str(node.files.cert) in failure.value.message


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
@pytest.mark.parametrize("content", [None, b"", b"junk"])
async def test_at_the_start_a_file_that_cannot_be_used_is_named(node: Node, name: str, content: bytes | None) -> None:
    path: Path = getattr(node.files, name)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(UnavailableError) as failure:
        load_contexts(node.files, "n1")
    assert failure.value.code == "node.certificates"
    assert str(path) in failure.value.message
