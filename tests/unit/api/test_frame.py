"""What holds for each request, with applications that fail in every way."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import httpx
import pytest
import structlog
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from wire.api.frame import Frame
from wire.core.clock import SystemClock
from wire.core.errors import RetryableError
from wire.core.uuids import Uuids

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def failing(exc: Exception, *, begun: bool = False) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise exc

    return app


def client(app: App, at: str = "http://n1") -> httpx.AsyncClient:
    framed = Frame(app, version="1.0", served_by="n1", uuids=Uuids(SystemClock(), os.urandom))
    return httpx.AsyncClient(transport=httpx.ASGITransport(framed), base_url=at)


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def test_an_error_of_ours_becomes_a_problem() -> None:
    async with client(failing(RetryableError("raft.no_leader", after_s=3))) as http:
        response = await http.get("/")
    assert (response.status_code, response.json()["code"]) == (503, "raft.no_leader")
    assert response.headers["retry-after"] == "3"
    assert response.headers["x-wire-served-by"] == "n1"


async def test_what_nobody_foresaw_is_logged_once_and_not_shown() -> None:
    with capture_logs() as logs:
        async with client(failing(ZeroDivisionError("a secret"))) as http:
            response = await http.get("/x", headers={"x-request-id": "r-1"})
    assert (response.status_code, response.json()["code"]) == (500, "api.failed")
    assert "secret" not in response.text
    assert "r-1" in response.json()["hint"]
    assert [(entry["event"], entry["request_id"], entry["path"]) for entry in logs] == [("api_failed", "r-1", "/x")]


async def test_what_is_logged_meanwhile_tells_which_request_it_is_about() -> None:
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(structlog.contextvars.get_contextvars().get("request_id"))
        raise RetryableError("raft.no_leader")

    async with client(app) as http:
        await http.get("/x", headers={"x-request-id": "r-1"})
        await http.get("/x")
    assert seen[0] == "r-1"
    assert seen[1] not in (None, "r-1")
    assert structlog.contextvars.get_contextvars().get("request_id") is None


async def test_an_answer_that_has_begun_is_cut_off() -> None:
    async with client(failing(ZeroDivisionError(), begun=True)) as http:
        with pytest.raises(ZeroDivisionError):
            await http.get("/")


async def test_a_client_that_is_gone_gets_nothing_and_no_line_in_the_log() -> None:
    with capture_logs() as logs:
        framed = Frame(
            failing(ClientDisconnect()), version="1.0", served_by="n1", uuids=Uuids(SystemClock(), os.urandom)
        )
        sent: list[object] = []

        async def send(message: object) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await framed(scope, _nothing, send)
    assert (sent, logs) == ([], [])


@pytest.mark.parametrize(
    ("path", "tls", "status"),
    [
        ("/status", None, 204),
        ("/status", {"client_name": None, "node_names": [], "client_cert_name": None}, 401),
        ("/status", {"client_name": "ada", "node_names": []}, 204),
        ("/status", {"client_name": None, "node_names": ["n1"]}, 204),
        ("/livez", {"client_name": None, "node_names": []}, 204),
        ("/readyz", {"client_name": None, "node_names": []}, 204),
        ("/readyz/", {"client_name": None, "node_names": []}, 401),
    ],
)
async def test_over_tls_who_asks_shows_a_certificate(path: str, tls: dict[str, object] | None, status: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    framed = Frame(app, version="1.0", served_by="n1", uuids=Uuids(SystemClock(), os.urandom))

    async def listener(scope: Scope, receive: Receive, send: Send) -> None:
        await framed({**scope, "extensions": {} if tls is None else {"tls": tls}}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(listener), base_url="http://n1") as http:
        response = await http.get(path)
    assert response.status_code == status
    if status == 401:
        assert response.json()["code"] == "api.not_authenticated"


async def _nothing() -> dict[str, object]:
    return {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("method", "headers", "refused"),
    [
        ("POST", {}, False),
        ("POST", {"origin": "http://n1"}, False),
        ("POST", {"origin": "http://n1:81"}, True),
        ("PUT", {"origin": "https://evil.example"}, True),
        ("DELETE", {"origin": "null"}, True),
        ("POST", {"origin": "http://["}, True),
        ("POST", {"sec-fetch-site": "same-site"}, True),
        ("POST", {"sec-fetch-site": "none"}, False),
        ("GET", {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}, False),
    ],
)
async def test_pages_of_other_sites_may_look_and_not_change(
    method: str, headers: dict[str, str], refused: bool
) -> None:
    async with client(answering) as http:
        response = await http.request(method, "/", headers=headers)
    assert response.status_code == (403 if refused else 204)


@pytest.mark.parametrize(
    ("at", "host", "refused"),
    [
        ("http://127.0.0.1:4001", "127.0.0.1:4001", False),
        ("http://127.0.0.1:4001", "localhost:8080", False),
        ("http://127.0.0.1:4001", "wire.localhost", False),
        ("http://[::1]:4001", "[::1]:4001", False),
        ("http://127.0.0.1:4001", "evil.example:4001", True),
        ("http://[::1]:4001", "127.0.0.1.evil.example", True),
        ("http://127.0.0.1:4001", "[::1", True),
        ("http://10.0.0.7:4001", "wire.example:4001", False),
    ],
)
async def test_a_node_of_this_machine_alone_is_not_asked_by_a_name_that_was_pointed_here(
    at: str, host: str, refused: bool
) -> None:
    async with client(answering, at) as http:
        response = await http.get("/", headers={"host": host})
    assert response.status_code == (421 if refused else 204)
    assert not refused or response.json()["code"] == "api.unknown_host"
