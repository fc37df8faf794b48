"""Connections to other members, up to the welcome."""

from __future__ import annotations

import asyncio
import ssl

from wire.core.errors import RetryableError
from wire.raft.transport.connection import Connection, LostError
from wire.raft.transport.framing import ProtocolError, framed
from wire.raft.transport.handshake import (
    ALPN,
    MAX_GREETING_BYTES,
    PREAMBLE,
    Place,
    Refusal,
    decode_answer,
    encode,
    hello,
    judge_names,
)
from wire.raft.transport.ports import TransportSettings
from wire.raft.types import Member


class TurnedAwayError(RetryableError):
    """The peer does not want to hear us, for now or for ever."""


class ImpostorError(RetryableError):
    """At the peer's address there is somebody else."""


class Dialer:
    """Makes connections on which we are heard."""

    def __init__(self, us: Place, tls: ssl.SSLContext | None, settings: TransportSettings) -> None:
        """Dial as `us`, without encryption if there is no context."""
        self._us = us
        self.tls = tls
        self._settings = settings

    async def dial(self, peer: Member) -> Connection:
        """Return a connection to the peer, who has welcomed us on it.

        Raises OSError if there is no answer, as LostError or ssl.SSLError where it is one; TurnedAwayError,
        ImpostorError, or ProtocolError.
        """
        limit_s = self._settings.dial_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._dial(peer)
        except TimeoutError:
            raise TimeoutError(f"no answer within {limit_s:g} s") from None

    async def _dial(self, peer: Member) -> Connection:
        host, port = split_address(peer.address)
        try:
            reader, writer = await asyncio.open_connection(host, port, ssl=self.tls)
        except OSError:  # some of which are a ValueError, too
            raise
        except ValueError as exc:  # what a resolver says to a name that can't be one
            raise ConnectionError(f"{peer.address!r} is no address: {exc}") from exc
        connection = Connection(reader, writer, write_timeout_s=self._settings.write_timeout_s)
        try:
            await self._introduce(connection, peer)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _introduce(self, connection: Connection, peer: Member) -> None:
        greeting = framed(encode(hello(self._us, peer.id)))
        if self.tls is None:
            greeting = PREAMBLE + greeting
        elif connection.protocol != ALPN:
            raise ProtocolError(f"what listens at {peer.address} does not speak {ALPN}")
        wrong = judge_names(peer, connection.certificate_names)
        if wrong is not None:
            raise ImpostorError(wrong.code, wrong.message)
        try:
            await connection.write(greeting)
            answer = decode_answer(await connection.read_frame(MAX_GREETING_BYTES))
        except LostError as exc:
            doubt = "" if self.tls is None else ": perhaps it is only starting, or does not accept our certificate"
            raise LostError(f"{exc} before it answered{doubt}") from exc.__cause__
        if isinstance(answer, Refusal):
            raise TurnedAwayError(answer.code, answer.message)


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`; an IPv6 address stands in brackets. Raises ConnectionError."""
    host, colon, port = address.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise ConnectionError(f"{address!r} is no address: host:port is needed")
    return host, int(port)
