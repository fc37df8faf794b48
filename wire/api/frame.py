"""What holds for each request, whatever it asks for: an id, the headers that say who answered, and an answer always.

Plain ASGI, around everything but the framework's own last resort: an error that no route foresaw is logged here, once,
and answered without its details.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import structlog
from fastapi import Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wire.api.principals import ALWAYS_OPEN, require_principal
from wire.api.problems import problem
from wire.api.sites import require_own_site
from wire.core.errors import FatalError, WireError
from wire.core.uuids import Uuids

REQUEST_ID: Final = "x-request-id"
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")

log = structlog.get_logger()


class Frame:
    """Wraps the application. `served_by` is this node's name; nobody is asked who they are at addresses in `open_`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        version: str,
        served_by: str,
        uuids: Uuids,
        open_: Collection[str] = ALWAYS_OPEN,
    ) -> None:
        """Be ready to wrap."""
        self._open = open_
        self._app = app
        self._version = version
        self._served_by = served_by
        self._uuids = uuids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID, "")
        request_id = given if _SANE_ID.fullmatch(given) else str(self._uuids.next())
        scope.setdefault("state", {})["request_id"] = request_id
        begun = False

        async def framed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                out = MutableHeaders(scope=message)
                out["x-wire-version"] = self._version
                out["x-wire-served-by"] = self._served_by
                out[REQUEST_ID] = request_id
            await send(message)

        try:
            require_own_site(scope, headers)
            require_principal(scope, self._open)
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                await self._app(scope, receive, framed)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as exc:
            if begun:
                raise
            await _problem(exc, request_id, scope)(scope, receive, framed)


def _problem(exc: Exception, request_id: str, scope: Scope) -> Response:
    if isinstance(exc, WireError):
        return problem(exc, request_id)
    log.error("api_failed", request_id=request_id, method=scope["method"], path=scope["path"], exc_info=exc)
    hint = f"report it with the node's log, in which it stands under request_id {request_id}"
    return problem(FatalError("api.failed", "the node made a mistake of its own", hint=hint), request_id)


def request_id_of(request: Request) -> str:
    """Return the id of a request, the client's own or one made here."""
    return str(request.state.request_id)
