"""What answers HTTP at a node's port: the API, once there is one, and before that the truth."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wire.node.listener.http import App

_ALIVE: Final = "/livez"
_NOT_READY: Final = msgspec.json.encode(
    {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": "node.not_ready",
        "detail": "the node does not belong to a cluster yet",
        "hint": "its log says what it waits for",
    }
)


class Front:
    """An application of ASGI that hands everything to `app`. Until that is there, it says so; alive it is at once."""

    def __init__(self) -> None:
        """Begin without an application."""
        self.app: App | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if self.app is not None:
            await self.app(scope, receive, send)
            return
        alive = scope["path"] == _ALIVE
        kind, body = (b"text/plain; charset=utf-8", b"ok\n") if alive else (b"application/problem+json", _NOT_READY)
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        if not alive:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": 200 if alive else 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})
