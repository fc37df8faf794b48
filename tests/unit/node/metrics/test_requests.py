"""Requests are counted by what they are answered, and nothing a client makes up becomes a label."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.node.metrics.kit import shown
from wire.core.clock import SystemClock
from wire.node.metrics.requests import Requests
from wire.node.metrics.sheet import Sheet


async def answered(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"].startswith("/p/"):
        scope["route"] = SimpleNamespace(path="/p/{name}")
    if scope["path"] == "/p/broken":
        raise ConnectionError
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b""})


async def ask(requests: Requests, method: str, path: str) -> None:
    async def send(message: Any) -> None:
        pass

    await requests.around(answered)({"type": "http", "method": method, "path": path}, None, send)


async def test_requests_are_counted_by_route_method_and_status() -> None:
    requests, sheet = Requests(SystemClock()), Sheet()
    for name in "abc":
        await ask(requests, "GET", f"/p/{name}")
    await ask(requests, "SECRET", "/p/a")
    await ask(requests, "GET", "/made/up")
    with pytest.raises(ConnectionError):
        await ask(requests, "GET", "/p/broken")
    requests.put_on(sheet)
    found = shown(sheet)
    assert found["wire_http_requests_total{method=GET,route=/p/{name},status=200}"] == 3
    assert found["wire_http_requests_total{method=other,route=/p/{name},status=200}"] == 1
    assert found["wire_http_requests_total{method=GET,route=other,status=200}"] == 1
    assert found["wire_http_requests_total{method=GET,route=/p/{name},status=none}"] == 1
    assert found["wire_http_request_seconds_count{method=GET,route=/p/{name}}"] == 4
