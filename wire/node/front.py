"""What answers HTTP at a node's port: the API, once there is one, and before that the truth."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wire.api.views import Check
from wire.node.listener.http import App

_TEXT: Final = b"text/plain; charset=utf-8"
_NOT_READY: Final = msgspec.json.encode(
    {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": "node.not_ready",
        "detail": "the node does not belong to a cluster yet",
        "hint": "/readyz and its log say what it waits for",
    }
)


class Front:
    """An application of ASGI that hands everything to `app`. Until that is there, it says so; alive it is at once.

    `checks` is what /readyz answers until then.
    """

    def __init__(self) -> None:
        """Begin without an application."""
        self.app: App | None = None
        self.checks: tuple[Check, ...] = (Check(name="node", ok=False, message="it belongs to no cluster yet"),)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if self.app is not None:
            await self.app(scope, receive, send)
            return
        status, kind, body = self._answer(scope["path"])
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        if status != 200:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str) -> tuple[int, bytes, bytes]:
        match path:
            case "/livez" | "/healthz":
                return 200, _TEXT, b"ok\n"
            case "/readyz":
                return 503, _TEXT, "".join(each.line for each in self.checks).encode()
            case _:
                return 503, b"application/problem+json", _NOT_READY
