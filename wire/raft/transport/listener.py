"""A port for consensus alone, for tests and tools: a node shares one port with HTTP."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from wire.raft.transport.accepting import BACKLOG, Arrival, Door, DoorSettings, Trouble
from wire.raft.transport.handshake import ALPN, PREAMBLE
from wire.raft.transport.transport import Transport

_CODES: Final = {
    Trouble.EXHAUSTED: "raft.busy",
    Trouble.CROWDED: "raft.busy",
    Trouble.TLS: "raft.tls",
    Trouble.LOST: "raft.protocol_fault",
}


@asynccontextmanager
async def listening(transport: Transport, host: str, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Hand what is dialed at host and port to the transport; give the port, which is a free one for port 0.

    At the end every connection is cut off, also one whose handshake is under way.
    """

    async def welcome(arrival: Arrival) -> None:
        if arrival.protocol == ALPN:
            await transport.accept(*arrival.as_stream())
        else:
            transport.refuse(arrival.remote, "raft.protocol_fault", "this is not how consensus begins")

    def turned_away(remote: str, trouble: Trouble, reason: str) -> None:
        transport.refuse(remote, _CODES[trouble], reason)

    settings = DoorSettings(handshake_timeout_s=transport.settings.dial_timeout_s)
    context = None if tls is None else lambda: tls
    door = Door(welcome, turned_away, tls=context, preambles={PREAMBLE: ALPN}, settings=settings)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=BACKLOG) as server:
        async with door:
            door.answer(server)
            yield server.getsockname()[1]
