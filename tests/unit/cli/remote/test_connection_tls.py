"""Encrypted connections: who is trusted, and what it means when none can be made."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from tests.unit.cli.remote.scripted import DROP, Reply, scripted
from wire.cli.remote.addresses import parse_addresses
from wire.cli.remote.client import Client
from wire.clients.tls import Tls
from wire.core.errors import RetryableError, UnavailableError
from wire.node.certificate_folder import CertificateFolder

FINE = Reply(body={"a": 1})


def authority(path: Path) -> CertificateFolder:
    folder, now, lifetime = CertificateFolder(path), datetime.now(UTC), timedelta(days=1)
    folder.init("test", lifetime, now, replace=False)
    folder.issue_node("n1", ["127.0.0.1"], lifetime, now, replace=False)
    folder.issue_client("ada", lifetime, now, replace=False)
    return folder


def server(folder: CertificateFolder) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder.authority))
    context.load_cert_chain(folder.path / "n1.pem", folder.path / "n1.key")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def ada(folder: CertificateFolder) -> Tls:
    return Tls(ca=str(folder.authority), cert=str(folder.path / "ada.pem"), key=str(folder.path / "ada.key"))


def client(address: str, tls: Tls, patience_s: float = 0) -> Client:
    return Client(parse_addresses([address], secure=True), tls, patience_s)


def test_both_sides_show_who_they_are(tmp_path: Path) -> None:
    folder = authority(tmp_path / "certs")
    with scripted(FINE, tls=server(folder)) as node, client(node.address, ada(folder)) as asking:
        assert asking.get("x").plain() == {"a": 1}
        assert asking.change("PUT", "x", body=b"{}").plain() == {"a": 1}


def test_a_node_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    ours, theirs = authority(tmp_path / "ours"), authority(tmp_path / "theirs")
    with (
        scripted(FINE, tls=server(theirs)) as node,
        client(node.address, ada(ours), patience_s=3600) as asking,
        pytest.raises(UnavailableError) as caught,
    ):
        asking.change("PUT", "x")
    assert caught.value.code == "client.tls"
    assert "not trusted" in caught.value.message
    assert node.asked == []


@pytest.mark.parametrize(("answer", "shows"), [(FINE, "theirs"), (DROP, "ours")])
def test_a_node_that_does_not_take_the_certificate_says_so_or_hangs_up(
    tmp_path: Path, answer: Reply, shows: str
) -> None:
    folders = {name: authority(tmp_path / name) for name in ("ours", "theirs")}
    tls = structs.replace(ada(folders[shows]), ca=str(folders["ours"].authority))
    with (
        scripted(answer, tls=server(folders["ours"])) as node,
        client(node.address, tls) as asking,
        pytest.raises((RetryableError, UnavailableError)) as caught,
    ):
        asking.get("x")
    assert "wire doctor --cert" in str(caught.value.hint)
    assert "wants https" not in str(caught.value.hint)


@pytest.mark.parametrize(
    ("cert", "key", "reason"),
    [
        ("ada.pem", "n1.key", "the private key does not belong to the certificate"),
        ("ada.pem", None, "no certificate or no private key"),
        ("ada.key", "ada.key", "no certificate or no private key"),
    ],
)
def test_files_that_do_not_go_together_are_said_in_plain_words(
    tmp_path: Path, cert: str, key: str | None, reason: str
) -> None:
    folder = authority(tmp_path).path
    tls = Tls(cert=str(folder / cert), key=None if key is None else str(folder / key))
    with pytest.raises(UnavailableError) as caught, client("https://127.0.0.1:1", tls):
        pytest.fail("it is said at once")
    assert reason in caught.value.message
    assert "_ssl.c" not in caught.value.message


def test_a_node_that_speaks_without_encryption_is_asked_with_it(tmp_path: Path) -> None:
    with scripted(FINE) as node:
        address = node.address.replace("http:", "https:")
        with client(address, Tls()) as asking, pytest.raises(UnavailableError) as caught:
            asking.get("x")
    assert caught.value.code == "client.tls"
    assert "if it speaks http only" in str(caught.value.hint)


def test_a_node_that_speaks_with_encryption_is_asked_without_it(tmp_path: Path) -> None:
    folder = authority(tmp_path / "certs")
    with scripted(FINE, tls=server(folder)) as node:
        address = node.address.replace("https:", "http:")
        with client(address, Tls()) as asking, pytest.raises(RetryableError) as caught:
            asking.get("x")
    assert "if the node wants https" in str(caught.value.hint)


def test_a_file_that_is_gone_is_said_by_its_name() -> None:
    with pytest.raises(UnavailableError) as caught, client("https://127.0.0.1:1", Tls(ca="gone.pem")):
        pytest.fail("it is said at once")
    assert caught.value.message == "`context.ca`: there is no file gone.pem"
