"""A front before a replica set that introduces itself as the router of a sharded cluster (`mongos`) does.

No package of the registries has a real router. Everything but the greeting is the server's own answer, so what a
client does differently because it takes the other side for a router is tried against a real server.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

import bson

_HEADER: Final = struct.Struct("<iiii")
_REPLY, _MESSAGE = 1, 2013
_BEFORE_DOCUMENT: Final = {_REPLY: 20, _MESSAGE: 5}
"""Bytes between the header and the first document, by operation."""

_OF_A_MEMBER: Final = ("setName", "setVersion", "hosts", "primary", "secondary", "me", "electionId", "lastWrite")


@contextlib.asynccontextmanager
async def router_before(uri: str) -> AsyncIterator[str]:
    """Give the URI of a router in front of the server that `uri` names."""
    address = urlsplit(uri)
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        there, away = await asyncio.open_connection(address.hostname, address.port)
        with contextlib.closing(writer), contextlib.closing(away), contextlib.suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass_on(reader, away, dressed=False))
                group.create_task(_pass_on(there, writer, dressed=True))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"mongodb://127.0.0.1:{port}/"
    finally:
        server.close()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, dressed: bool) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            header = await reader.readexactly(_HEADER.size)
            length, number, answers, operation = _HEADER.unpack(header)
            body = await reader.readexactly(length - _HEADER.size)
            if dressed:
                body = _dressed(operation, body)
            writer.write(_HEADER.pack(_HEADER.size + len(body), number, answers, operation) + body)
            await writer.drain()
    writer.close()


def _dressed(operation: int, body: bytes) -> bytes:
    start = _BEFORE_DOCUMENT.get(operation)
    if start is None or b"setName\0" not in body:
        return body
    end = start + struct.unpack_from("<i", body, start)[0]
    document: dict[str, Any] = bson.decode(body[start:end])
    if "setName" not in document:
        return body
    for name in _OF_A_MEMBER:
        document.pop(name, None)
    return body[:start] + bson.encode(document | {"msg": "isdbgrid"}) + body[end:]
