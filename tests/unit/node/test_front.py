"""What a node answers before it has an API."""

from __future__ import annotations

from typing import Any

import httpx

from wire.node.front import Front


async def test_a_node_without_an_api_is_alive_and_not_ready() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Front()), base_url="http://n1") as client:
        for path in ("/livez", "/healthz"):
            assert (await client.get(path)).status_code == 200
        ready = await client.get("/readyz?sync")
        response = await client.get("/api/v1/cluster")
    assert ready.status_code == response.status_code == 503
    assert ready.headers["content-type"].startswith("text/plain")
    assert ready.text == "[-]node failed: it belongs to no cluster yet\n"
    assert response.headers["retry-after"] == "1"
    assert response.json()["code"] == "node.not_ready"


async def test_everything_is_handed_to_the_api_once_it_is_there() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    front = Front()
    front.app = app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://n1") as client:
        assert (await client.get("/livez")).status_code == 204
