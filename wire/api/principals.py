"""Who asks: what the listener says of the certificate that was shown.

Without TLS, which is for this machine alone or was asked for as insecure, nobody is asked who they are.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from starlette.types import Scope

from wire.core.errors import RefusedError

ALWAYS_OPEN: Final = ("/livez", "/healthz", "/readyz", "/docs", "/openapi.json")
"""For whoever watches over nodes, and for whoever wants to know how to ask."""


def require_principal(scope: Scope, open_: Collection[str]) -> None:
    """Raise RefusedError where it matters who asks, which it does not at `open_` addresses, and nobody has said."""
    tls = _tls(scope)
    if tls is None or scope["path"] in open_ or tls.get("client_name") or tls.get("node_names"):
        return
    hint = "show a client's certificate: `wire certs issue --client NAME` makes one"
    raise RefusedError("api.not_authenticated", "who asks has not said who they are", hint=hint)


def actor_of(scope: Scope) -> str:
    """Return who asks as it is written into histories, nothing where that is not known."""
    tls = _tls(scope) or {}
    return str(tls.get("client_name") or tls.get("client_cert_name") or "")


def _tls(scope: Scope) -> dict[str, Any] | None:
    found: dict[str, Any] | None = scope.get("extensions", {}).get("tls")
    return found
