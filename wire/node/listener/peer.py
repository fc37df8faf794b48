"""Whose certificate the other side of a connection has shown, in the form in which ASGI hands it to the API."""

from __future__ import annotations

import ssl
from asyncio import BaseTransport
from typing import Any, Final

CLIENT_URI: Final = "wire:client:"
"""How a certificate names somebody who is no node: a URI that begins like this. DNS names are nodes'."""

_VERSIONS: Final = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


def tls_scope(transport: BaseTransport) -> dict[str, Any] | None:
    """Return `extensions["tls"]` of ASGI for a connection, None without TLS.

    Besides what ASGI's TLS extension has, `client_name` is the name in the certificate of a client, None if there is
    none; `node_names` are those of a node, host names included.
    """
    secure = transport.get_extra_info("ssl_object")
    if secure is None:
        return None
    certificate: dict[str, Any] = secure.getpeercert() or {}
    names = certificate.get("subjectAltName", ())
    clients = [name.removeprefix(CLIENT_URI) for kind, name in names if kind == "URI" and name.startswith(CLIENT_URI)]
    return {
        "server_cert": None,
        "client_cert_chain": _chain(secure),
        "client_cert_name": _subject(certificate),
        "client_cert_error": None,  # who shows one that is not the cluster's does not get through the handshake
        "tls_version": _VERSIONS.get(secure.version() or ""),
        "cipher_suite": None,
        "client_name": clients[0] if clients else None,
        "node_names": [name for kind, name in names if kind == "DNS"],
    }


def _chain(secure: ssl.SSLObject) -> list[str]:
    shown = secure.getpeercert(binary_form=True)
    return [] if shown is None else [ssl.DER_cert_to_PEM_cert(shown)]


def _subject(certificate: dict[str, Any]) -> str | None:
    """Return the common name as RFC 4514 writes it, which is all that our certificates have as a subject."""
    parts = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return f"CN={parts[0]}" if parts else None
