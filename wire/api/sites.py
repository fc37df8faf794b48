"""What pages of other sites are kept from: a browser lends them the rights of whoever looks at them.

https://developer.mozilla.org/en-US/docs/Web/HTTP/Headers/Origin, and for names that are pointed at another machine
https://en.wikipedia.org/wiki/DNS_rebinding.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from wire.core.errors import RefusedError

_SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")


def require_own_site(scope: Scope, headers: Headers) -> None:
    """Raise RefusedError where a page of another site asks for a change.

    Or, at a node that anybody on its machine may ask, for anything: under a name of that site, which leads here.
    """
    if _is_cross_site(scope, headers):
        hint = "call the API from a program, or from a page of the cluster's own address"
        raise RefusedError("api.cross_site", "another site's page asked for a change", hint=hint)
    if _is_for_this_machine(scope) and not _is_local(headers.get("host", "")):
        message = (
            f"this node is asked without certificates, from its own machine only, and that is not {headers['host']}"
        )
        hint = "ask localhost or an address, such as 127.0.0.1; with certificates any name of the node will do"
        raise RefusedError("api.unknown_host", message, hint=hint)


def _is_cross_site(scope: Scope, headers: Headers) -> bool:
    if scope["method"] in _SAFE_METHODS:
        return False
    origin = headers.get("origin")
    if origin is not None:
        try:
            return urlsplit(origin).netloc != headers.get("host")
        except ValueError:  # which no browser sends
            return True
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _is_for_this_machine(scope: Scope) -> bool:
    server = scope.get("server")
    return "tls" not in scope.get("extensions", {}) and server is not None and _is_loopback(server[0])


def _is_local(host: str) -> bool:
    """Say whether a Host header has no name that could have been pointed here."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in ("", "localhost") or name.endswith(".localhost") or _address(name) is not None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
