"""Counts the requests of the API: an application of ASGI around it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from wire.core.clock import Clock
from wire.core.timings import Timings
from wire.node.listener.http import App
from wire.node.metrics import declarations as m
from wire.node.metrics.sheet import Sheet

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OTHER: Final = "other"
_BROKEN_OFF: Final = "none"


class Requests:
    """By route, which is the address with its names left out: there are only so many (I8)."""

    def __init__(self, clock: Clock) -> None:
        """Begin to count."""
        self._clock = clock
        self._answers: Counter[tuple[str, str, str]] = Counter()
        self._timings: dict[tuple[str, str], Timings] = {}

    def around(self, app: App) -> App:
        """Return an application that counts what `app` answers."""

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            status = _BROKEN_OFF
            began_s = self._clock.monotonic()

            async def noted(message: Any) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                await send(message)

            try:
                await app(scope, receive, noted)
            finally:
                self._count(scope, status, self._clock.monotonic() - began_s)

        return counted

    def put_on(self, sheet: Sheet) -> None:
        """Have a sheet show what was counted."""
        for labels, count in self._answers.items():
            sheet.put(m.HTTP_REQUESTS, count, *labels)
        for where, timings in self._timings.items():
            sheet.put(m.HTTP_SECONDS, timings, *where)

    def _count(self, scope: Any, status: str, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", _OTHER)
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        self._answers[route, method, status] += 1
        self._timings.setdefault((route, method), Timings()).observe(seconds)
