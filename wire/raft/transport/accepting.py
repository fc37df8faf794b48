"""Letting connections in, from the first packet until it is known which protocol is spoken.

For whoever has a port: the listener of consensus alone, and a node's, whose port speaks several protocols. ALPN says
which; without TLS the first bytes do. Nothing here is asyncio's own server, which keeps handshakes that are under way
when it is closed, and their sockets, for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from enum import Enum
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeAlias

from msgspec import Struct

from wire.raft.transport.connection import LostError, close, shown

BACKLOG: Final = 128
_EXHAUSTED_S: Final = 1.0
_ENOUGH: Final = 1 << 16
_UNKNOWN: Final = "an unknown place"


class Trouble(Enum):
    """Why somebody was not let in."""

    EXHAUSTED = "no more files may be open"
    CROWDED = "too many handshakes were under way"
    TLS = "the TLS handshake failed"
    LOST = "the connection was lost, or nothing came in time"


class Arrival(asyncio.Protocol):
    """Somebody who was let in. `protocol` is what is spoken: None if that was not said.

    What was heard is kept until `as_stream` or `hand_over` says who takes it, and reading pauses when that is much.
    """

    def __init__(self) -> None:
        """Wait for the connection."""
        self.protocol: str | None = None
        self.remote = _UNKNOWN
        self._transport: asyncio.Transport | None = None
        self._heard = bytearray()
        self._news = asyncio.Event()
        self._paused = False
        self._at_eof = False
        self._lost: tuple[Exception | None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # noqa: D102 (asyncio's)
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: D102 (asyncio's contract)
        self._heard += data
        if len(self._heard) >= _ENOUGH and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:  # noqa: D102 (asyncio's contract)
        self._at_eof = True
        self._news.set()
        return not self.is_secure  # who takes over may still answer; TLS has no half-closed connections

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102 (asyncio's contract)
        self._lost = (exc,)
        self._news.set()

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, there from the end of the handshake on."""
        if self._transport is None:
            raise asyncio.InvalidStateError("there is no connection yet")
        return self._transport

    @property
    def is_secure(self) -> bool:
        """Whether it is encrypted."""
        return self.transport.get_extra_info("ssl_object") is not None

    @property
    def has_certificate(self) -> bool:
        """Whether a certificate was shown, or there is no TLS to show one in."""
        secure = self.transport.get_extra_info("ssl_object")
        return secure is None or bool(secure.getpeercert())

    async def recognise(self, preambles: Mapping[bytes, str]) -> None:
        """Find out what is spoken: by ALPN, or without TLS by the first bytes, which are taken if they are known.

        Raises LostError if nothing comes before the end.
        """
        secure = self.transport.get_extra_info("ssl_object")
        if secure is not None:
            self.protocol = secure.selected_alpn_protocol()
            return
        while any(len(self._heard) < len(each) and each.startswith(bytes(self._heard)) for each in preambles):
            if self._at_eof or self._lost is not None:
                raise LostError("the other side closed the connection before it said what it wants")
            self._news.clear()
            await self._news.wait()
        for preamble, protocol in preambles.items():
            if self._heard.startswith(preamble):
                self.protocol = protocol
                del self._heard[: len(preamble)]

    def as_stream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the connection as a stream. Whoever has it closes it."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        self.hand_over(protocol)
        return reader, asyncio.StreamWriter(self.transport, protocol, reader, asyncio.get_running_loop())

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Let a protocol of asyncio take over, as if it had been there from the beginning."""
        transport = self.transport
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._paused:
            transport.resume_reading()  # before the protocol has a reason to pause it again
        heard, self._heard = bytes(self._heard), bytearray()
        if heard:
            protocol.data_received(heard)
        if self._lost is not None:
            protocol.connection_lost(self._lost[0])
        elif self._at_eof and not protocol.eof_received():
            close(transport)

    def abort(self) -> None:
        """Cut the connection off, if it is not yet. Never raises."""
        if self._transport is not None:
            with contextlib.suppress(AttributeError):  # Python 3.11.2 forgets the transport where TLS was closed twice
                self._transport.abort()


_failures: Final[ContextVar[list[ssl.SSLError]]] = ContextVar("failures")
"""Why a handshake in this context failed, which asyncio forgets where the other side hangs up for it."""


class _Handshake(ssl.SSLObject):
    """Tells the other side that its certificate is not accepted, and why: TLS sends that only while it goes on.

    So it goes on until the other side hangs up, or there is no more time. Cut off at once, that might not hear it.
    """

    def do_handshake(self) -> None:
        """Go on, as asyncio does: SSLWantReadError asks for more from the other side."""
        failures = _failures.get()
        if not failures:
            try:
                return super().do_handshake()
            except ssl.SSLCertVerificationError as exc:
                failures.append(exc)
        raise ssl.SSLWantReadError


class DoorSettings(Struct, frozen=True, kw_only=True):
    """Limits of those who are not let in yet."""

    handshake_timeout_s: float = 5.0  # until it is known what is spoken
    shutdown_timeout_s: float = 1.0  # for the other side to confirm that TLS ends, which an idle client does not
    max_handshakes: int = 256  # at once; of more than that, the one which has taken longest makes room


Welcome: TypeAlias = Callable[[Arrival], Awaitable[None]]
TurnedAway: TypeAlias = Callable[[str, Trouble, str], None]


class Door:
    """Lets in whoever dials. `async with` it: at the end every connection is cut off, also one in its handshake.

    `welcome` is called for each arrival and returns, without raising, when it needs the connection no more; it is
    cancelled at the end. `turned_away` is told of everybody else: where from, why, and in which words.
    """

    def __init__(
        self,
        welcome: Welcome,
        turned_away: TurnedAway,
        *,
        tls: Callable[[], ssl.SSLContext] | None,
        preambles: Mapping[bytes, str],
        settings: DoorSettings | None = None,
    ) -> None:
        """Ask `tls` for the context of each new connection; without it, look at the first bytes."""
        self._welcome = welcome
        self._turned_away = turned_away
        self._tls = tls
        self._preambles = preambles
        self._settings = settings or DoorSettings()
        self._group = asyncio.TaskGroup()
        self._answering: set[asyncio.Task[None]] = set()
        self._shaking: dict[asyncio.Task[None], str] = {}
        self._inside: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (*self._answering, *self._shaking, *self._inside):
            task.cancel()
        await self._group.__aexit__(kind, exc, trace)

    @property
    def handshakes(self) -> int:
        """How many are about to be let in."""
        return len(self._shaking)

    def answer(self, server: socket.socket) -> None:
        """Let in whoever dials a socket that listens, which stays the caller's to close, after `close` or the end."""
        server.setblocking(False)
        self._answering.add(self._group.create_task(self._answer(server)))

    async def close(self) -> None:
        """Let nobody in any more; who is in stays. Idempotent."""
        for task in self._answering:
            task.cancel()
        if self._answering:
            await asyncio.wait(self._answering)

    async def _answer(self, server: socket.socket) -> None:
        while True:
            await _somebody_dials(server)
            try:
                # not the loop's own `sock_accept`, which forgets whom it let in where it is cancelled at that moment
                arrived, address = server.accept()
            except BlockingIOError:  # who dialed is gone again
                continue
            except OSError as exc:  # most likely no more files may be open
                self._turned_away(_UNKNOWN, Trouble.EXHAUSTED, str(exc))
                await asyncio.sleep(_EXHAUSTED_S)
            else:
                arrived.setblocking(False)
                self._make_room()
                remote = shown(address)
                task = self._group.create_task(self._enter(arrived, remote))
                self._shaking[task] = remote
                task.add_done_callback(partial(self._left, arrived))  # who is cancelled before it began can't do it

    def _make_room(self) -> None:
        """Give up the handshake that has taken longest, if there are too many (I8)."""
        if len(self._shaking) >= self._settings.max_handshakes:
            oldest = next(iter(self._shaking))
            self._turned_away(self._shaking.pop(oldest), Trouble.CROWDED, Trouble.CROWDED.value)
            oldest.cancel()

    def _left(self, arrived: socket.socket, task: asyncio.Task[None]) -> None:
        self._shaking.pop(task, None)
        self._inside.discard(task)
        arrived.close()

    async def _enter(self, arrived: socket.socket, remote: str) -> None:
        arrival = Arrival()
        arrival.remote = remote
        failures: list[ssl.SSLError] = []
        _failures.set(failures)
        try:
            async with asyncio.timeout(self._settings.handshake_timeout_s):
                await self._shake_hands(arrived, arrival)
                await arrival.recognise(self._preambles)
        except OSError as exc:
            self._turned_away(remote, *_explained(failures[0] if failures else exc))
        else:
            await self._let_in(arrival)
        finally:
            arrival.abort()

    async def _shake_hands(self, arrived: socket.socket, arrival: Arrival) -> None:
        loop = asyncio.get_running_loop()
        tls = None if self._tls is None else self._tls()
        if tls is not None:
            tls.sslobject_class = _Handshake
        await loop.connect_accepted_socket(
            lambda: arrival,
            arrived,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else self._settings.handshake_timeout_s,
            ssl_shutdown_timeout=None if tls is None else self._settings.shutdown_timeout_s,
        )

    async def _let_in(self, arrival: Arrival) -> None:
        task = asyncio.current_task()
        if task is not None and self._shaking.pop(task, None) is not None:
            self._inside.add(task)
            await self._welcome(arrival)


def _explained(exc: OSError) -> tuple[Trouble, str]:
    if isinstance(exc, ssl.SSLError):
        why = exc.verify_message if isinstance(exc, ssl.SSLCertVerificationError) else exc.reason
        return Trouble.TLS, why or str(exc)
    silent = "nothing came in time" if isinstance(exc, TimeoutError) else "the other side hung up"
    return Trouble.LOST, str(exc) or silent


async def _somebody_dials(server: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    waiting = loop.create_future()
    loop.add_reader(server, lambda: None if waiting.done() else waiting.set_result(None))
    try:
        await waiting
    finally:
        loop.remove_reader(server)
