"""Contexts between members: TLS 1.3, certificates on both sides, and clear words about files that can't be used."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.services.certificates import Authority
from wire.core.errors import UnavailableError
from wire.raft.transport.tls import TlsFiles, client_context, server_context


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    identity = authority.issue("n1")
    (tmp_path / "cert.pem").write_bytes(identity.certificate)
    (tmp_path / "key.pem").write_bytes(identity.key)
    return TlsFiles(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")


def test_both_sides_insist_on_tls_1_3_and_on_a_certificate(files: TlsFiles) -> None:
    for context in (server_context(files), client_context(files)):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert len(context.get_ca_certs()) == 1
    assert server_context(files).num_tickets == 0


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_that_cannot_be_used_is_named(files: TlsFiles, name: str, content: bytes | None) -> None:
    path: Path = getattr(files, name)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    for make in (server_context, client_context):
        with pytest.raises(UnavailableError) as failure:
            make(files)
        assert failure.value.code == "raft.tls"
        assert str(path) in failure.value.message


def test_a_key_of_another_certificate_is_refused(files: TlsFiles) -> None:
    assert files.key is not None
    files.key.write_bytes(Authority().issue("n1").key)
    with pytest.raises(UnavailableError):
        server_context(files)
