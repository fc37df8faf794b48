"""Encryption between members: both sides show a certificate of the cluster's own authority, in TLS 1.3.

The contexts check that a certificate is of the authority and in its time. Whose it is, is checked after that, in the
handshake: a member is known by its name, wherever it is reached.
"""

from __future__ import annotations

import ssl
from asyncio import StreamWriter
from collections.abc import Set
from pathlib import Path

from msgspec import Struct

from wire.core.errors import UnavailableError
from wire.raft.transport.handshake import ALPN


class TlsFiles(Struct, frozen=True):
    """Files, all PEM: the authority to trust, our certificate, and its key unless it is in the same file."""

    ca: Path
    cert: Path
    key: Path | None = None


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return what a listener needs for members only. Blocking: reads files. Raises UnavailableError."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, files)
    context.num_tickets = 0  # a resumed session would skip the check of the certificate
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return what is needed to dial members. Blocking: reads files. Raises UnavailableError."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, files)


def reload(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Use a renewed certificate for the connections to come. Blocking: reads files. Raises UnavailableError."""
    try:
        context.load_verify_locations(files.ca)
        context.load_cert_chain(files.cert, files.key, "")  # an encrypted key must fail here, not prompt
    except (ssl.SSLError, OSError) as exc:
        names = ", ".join(str(path) for path in (files.ca, files.cert, files.key) if path is not None)
        raise UnavailableError(
            "raft.tls",
            f"the certificates between members can't be used ({names}): {exc.strerror or exc}",
            hint="the files must be there, be PEM, belong together, and the key must not be encrypted",
        ) from None


def certificate_names(writer: StreamWriter) -> Set[str] | None:
    """Return the DNS names in the certificate of the other side, none if it showed none; None without TLS."""
    secure = writer.get_extra_info("ssl_object")
    if secure is None:
        return None
    certificate = secure.getpeercert() or {}
    return frozenset(name for kind, name in certificate.get("subjectAltName", ()) if kind == "DNS")


def _context(side: int, files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the name that counts is the member's, see `handshake.judge_names`
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols([ALPN])
    reload(context, files)
    return context
