"""HTTP/1.1 connections: uvicorn's protocol, with limits of time on whatever the other side may take its time with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any, Final, TypeAlias

from msgspec import Struct
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from wire.core.clock import Clock, SystemClock
from wire.node.listener.peer import tls_scope
from wire.raft.transport.accepting import Arrival
from wire.raft.transport.connection import close

App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An application of ASGI 3."""

_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n"
    b"content-length: 21\r\nconnection: close\r\n\r\ntoo many connections\n"
)


class HttpSettings(Struct, frozen=True, kw_only=True):
    """Limits of HTTP connections. How long a request and its body may take is up to the application."""

    max_connections: int = 1024  # of more than that, the one which has been idle longest makes room
    max_head_bytes: int = 64 << 10  # the request line and all headers
    head_timeout_s: float = 10.0  # from the first byte of a request to the end of its headers
    idle_timeout_s: float = 75.0  # between two requests
    stall_timeout_s: float = 30.0  # for the other side to take what is sent to it


class HttpServer:
    """Answers requests with an application of ASGI. What it knows of TLS is in `extensions["tls"]`, see `peer`."""

    def __init__(self, app: App, settings: HttpSettings | None = None, clock: Clock | None = None) -> None:
        """Serve `app`, which has no lifespan: whoever makes it begins and ends it."""
        self.settings = settings or HttpSettings()
        self._clock = clock or SystemClock()
        self._state = ServerState()
        self._connections: dict[HttpConnection, None] = {}
        self._config = Config(
            app,
            interface="asgi3",
            http="h11",
            ws="none",
            lifespan="off",
            loop="none",
            workers=1,  # else an environment variable is looked at
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,  # what a client says of its own address is not to be trusted
            server_header=False,
            date_header=False,  # said by us: there is no ticking server
            h11_max_incomplete_event_size=self.settings.max_head_bytes,
            timeout_keep_alive=int(self.settings.idle_timeout_s) + 1,  # ours comes first
        )
        self._config.load()

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    async def serve(self, arrival: Arrival) -> None:
        """Answer requests until the connection is at its end. Cancelled, it leaves the connection to be cut off."""
        if not self._has_room():
            arrival.transport.write(_FULL)
            arrival.transport.close()
            return
        connection = HttpConnection(self._config, self._state, self.settings, self._clock)
        self._connections[connection] = None
        try:
            arrival.hand_over(connection)
            await connection.ended.wait()
        finally:
            self._connections.pop(connection, None)

    async def drain(self) -> None:
        """Return when the requests that are under way are answered; idle connections are closed at once."""
        connections = list(self._connections)
        for connection in connections:
            if not connection.transport.is_closing():
                connection.shutdown()
        await asyncio.gather(*(connection.ended.wait() for connection in connections))

    async def end(self) -> None:
        """Cancel the requests that are still under way. Their connections were cut off before."""
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _has_room(self) -> bool:
        """Say whether one more may come, and let go of one that idles if that is necessary (I8)."""
        if len(self._connections) < self.settings.max_connections:
            return True
        idle = [connection for connection in self._connections if connection.is_idle]
        if not idle:
            return False
        longest = min(idle, key=lambda connection: connection.idle_since)
        del self._connections[longest]
        longest.transport.abort()
        return True


class HttpConnection(H11Protocol):
    """One connection. `ended` is set when it is lost.

    uvicorn limits the time between two requests only, and starts anew with whatever arrives. Here one timer runs
    whenever no request is being answered: it is set when the connection begins, when a request is answered and when
    the first byte of the next one is there, and by nothing else.
    """

    def __init__(self, config: Config, state: ServerState, settings: HttpSettings, clock: Clock) -> None:
        """Wait to be handed a connection."""
        super().__init__(config, state, {})
        self.ended = asyncio.Event()
        self.idle_since = 0.0
        self._settings = settings
        self._clock = clock
        self._tls: dict[str, Any] | None = None
        self._answer: Any = self.app
        self.app = self._answering
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # whatever uvicorn declares, there is none at first
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102 (asyncio's contract)
        super().connection_made(transport)  # type: ignore[arg-type] # asyncio's own base says less than it hands out
        self._tls = tls_scope(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:  # noqa: D102 (asyncio's contract)
        if self.is_idle and not self._in_head:
            self._wait_for_head()
        seconds = self._clock.now_ms() // 1000
        self.server_state.default_headers = [(b"date", formatdate(seconds, usegmt=True).encode())]
        super().data_received(data)
        if not self.is_idle:
            self._disarm()

    def on_response_complete(self) -> None:
        """Wait for the next request, or begin with the one that has come meanwhile."""
        self._in_head = False
        self._arm(self._settings.idle_timeout_s)
        super().on_response_complete()
        if not self.is_idle:
            self._disarm()
        elif self.conn.trailing_data[0]:  # the next one has begun
            self._wait_for_head()

    def pause_writing(self) -> None:
        """Wait for the other side to take something, but not for ever."""
        super().pause_writing()
        self._expect_progress()

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102 (asyncio's contract)
        super().connection_lost(exc)
        self._disarm()
        self._unset_keepalive_if_required()
        if self._stalled is not None:
            self._stalled.cancel()
        self.ended.set()

    async def _answering(self, scope: Any, receive: Any, send: Any) -> None:
        if self._tls is not None:
            scope.setdefault("extensions", {})["tls"] = self._tls
        try:
            await self._answer(scope, receive, send)
        finally:
            if not self.is_idle:  # the answer breaks off: what is still to be sent of it may take a while, not longer
                self._arm(self._settings.stall_timeout_s)

    def _wait_for_head(self) -> None:
        self._in_head = True
        self._arm(self._settings.head_timeout_s)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self.idle_since = self.loop.time()
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self._in_head or self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            close(self.transport)

    def _expect_progress(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(self._settings.stall_timeout_s, self._judge_progress, waiting)

    def _judge_progress(self, waited: int) -> None:
        if self.transport.get_write_buffer_size() < waited:
            self._expect_progress()
        else:
            self.transport.abort()
