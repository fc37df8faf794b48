"""A port for consensus alone, for tests and tools: a node shares one port with HTTP."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wire.raft.transport.connection import Connection, abort
from wire.raft.transport.framing import ProtocolError
from wire.raft.transport.handshake import ALPN, PREAMBLE
from wire.raft.transport.tls import watch_handshakes
from wire.raft.transport.transport import Transport


@asynccontextmanager
async def listening(transport: Transport, host: str, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Hand what is dialed at host and port to the transport; give the port, which is a free one for port 0."""
    arrivals: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:

        def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not server.is_serving():
                abort(writer)
                return
            task = group.create_task(_enter(transport, reader, writer))
            arrivals.add(task)
            task.add_done_callback(arrivals.discard)

        limit_s = transport.settings.dial_timeout_s
        if tls is None:
            server = await asyncio.start_server(arrived, host, port)
        else:
            watch_handshakes(tls, lambda reason: transport.refuse("", "raft.tls", reason))
            server = await asyncio.start_server(arrived, host, port, ssl=tls, ssl_handshake_timeout=limit_s)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in arrivals:
                task.cancel()


async def _enter(transport: Transport, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Find out whether consensus is spoken, and accept or turn away."""
    connection = Connection(reader, writer, write_timeout_s=transport.settings.write_timeout_s)
    try:
        async with asyncio.timeout(transport.settings.dial_timeout_s):
            await _check(connection)
    except (OSError, ProtocolError) as exc:
        transport.refuse(connection.remote, "raft.protocol_fault", str(exc) or "nothing came in time")
    else:
        await transport.accept(reader, writer)
    finally:
        abort(writer)


async def _check(connection: Connection) -> None:
    if connection.is_secure:
        if connection.protocol != ALPN:
            raise ProtocolError(f"{connection.protocol or 'nothing'} is offered by ALPN, not {ALPN}")
    elif await connection.read_exactly(len(PREAMBLE)) != PREAMBLE:
        raise ProtocolError("this is not how consensus begins")
