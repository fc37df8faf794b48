"""A port for consensus alone, for tests and tools: a node shares one port with HTTP."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from wire.raft.transport.connection import Connection, abort, shown
from wire.raft.transport.framing import ProtocolError
from wire.raft.transport.handshake import ALPN, PREAMBLE
from wire.raft.transport.transport import Transport

_BACKLOG: Final = 128
_EXHAUSTED_S: Final = 1.0


@asynccontextmanager
async def listening(transport: Transport, host: str, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Hand what is dialed at host and port to the transport; give the port, which is a free one for port 0.

    At the end every connection is cut off, also one whose handshake is under way: a server of asyncio would keep it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=_BACKLOG) as server:
        server.setblocking(False)
        async with asyncio.TaskGroup() as group:
            door = group.create_task(_answer(transport, server, tls))
            try:
                yield server.getsockname()[1]
            finally:
                door.cancel()


async def _answer(transport: Transport, server: socket.socket, tls: ssl.SSLContext | None) -> None:
    """Let in whoever dials, until cancelled."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        while True:
            try:
                arrived, address = await loop.sock_accept(server)
            except OSError as exc:  # most likely no more files may be open
                transport.refuse("an unknown place", "raft.busy", str(exc))
                await asyncio.sleep(_EXHAUSTED_S)
            else:
                task = group.create_task(_enter(transport, arrived, shown(address), tls))
                task.add_done_callback(partial(_close, arrived))  # who is cancelled before it began can't do it


async def _enter(transport: Transport, arrived: socket.socket, remote: str, tls: ssl.SSLContext | None) -> None:
    """Shake hands, find out whether consensus is spoken, and accept or turn away."""
    limit_s = transport.settings.dial_timeout_s
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        stream, _ = await loop.connect_accepted_socket(
            lambda: protocol, arrived, ssl=tls, ssl_handshake_timeout=None if tls is None else limit_s
        )
    except ssl.SSLError as exc:
        why = exc.verify_message if isinstance(exc, ssl.SSLCertVerificationError) else exc.reason
        transport.refuse(remote, "raft.tls", why or str(exc))
        return
    except OSError as exc:
        transport.refuse(remote, "raft.protocol_fault", str(exc))
        return
    writer = asyncio.StreamWriter(stream, protocol, reader, loop)
    try:
        async with asyncio.timeout(limit_s):
            await _check(Connection(reader, writer, write_timeout_s=transport.settings.write_timeout_s))
    except (OSError, ProtocolError) as exc:
        transport.refuse(remote, "raft.protocol_fault", str(exc) or "nothing came in time")
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


def _close(arrived: socket.socket, _: asyncio.Task[None]) -> None:
    arrived.close()
