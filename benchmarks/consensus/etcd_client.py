"""etcd as callers use it: its v3 API through the JSON gateway, over HTTP/1.1 connections that are kept.

The gateway is a translator within the etcd process, which then calls itself over gRPC; `nothing` asks it for something
that needs no consensus, so that what the gateway and this client take is known.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Final

import msgspec

_PUT: Final = "/v3/kv/put"
_RANGE: Final = "/v3/kv/range"
_STATUS: Final = "/v3/maintenance/status"


class _Header(msgspec.Struct):
    member_id: str


class _Status(msgspec.Struct):
    header: _Header
    leader: str = ""


class EtcdClient:
    """A caller's side. Each request under way has a connection of its own."""

    def __init__(self, address: str) -> None:
        """Connect when there is something to ask."""
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def put(self, key: bytes, value: bytes) -> bool:
        """Return once the value is confirmed, or is known not to be."""
        return await self._post(_PUT, {"key": _base64(key), "value": _base64(value)}) is not None

    async def nothing(self, key: bytes) -> bool:
        """Return once the member has said what it has at a key, without asking anybody."""
        return await self._post(_RANGE, {"key": _base64(key), "serializable": True}) is not None

    async def leads(self) -> bool:
        """Return whether the member leads, as far as it knows."""
        body = await self._post(_STATUS, {})
        if body is None:
            return False
        status = msgspec.json.decode(body, type=_Status)
        return status.leader == status.header.member_id

    async def close(self) -> None:
        """Disconnect."""
        for _, writer in self._idle:
            writer.close()

    async def _post(self, path: str, body: dict[str, object]) -> bytes | None:
        try:
            reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
            payload = msgspec.json.encode(body)
            writer.write(
                b"POST %b HTTP/1.1\r\nHost: etcd\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (path.encode(), len(payload), payload)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            answer = await reader.readexactly(_content_length(head))
        except (OSError, asyncio.IncompleteReadError):
            return None
        self._idle.append((reader, writer))
        return answer if head.startswith(b"HTTP/1.1 200 ") else None


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
