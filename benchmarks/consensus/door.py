"""The way from callers in another process to a member: frames of msgpack over loopback TCP, many on one connection.

The same for Wire and for pysyncobj, both of which are libraries, so that what it costs is the same for both.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Final, TypeAlias, cast

import msgspec

from wire.raft.transport.framing import Deframer, framed

_LIMIT: Final = 1 << 20
_OPENS_WITHIN_S: Final = 300.0
_POLL_S: Final = 0.01


class Put(msgspec.Struct, frozen=True, array_like=True, tag="put"):
    """Asks for a key to have a value, and to be answered when that is confirmed."""

    number: int
    key: bytes
    value: bytes


class Read(msgspec.Struct, frozen=True, array_like=True, tag="read"):
    """Asks to be answered when this member has everything that was confirmed before."""

    number: int


class Compact(msgspec.Struct, frozen=True, array_like=True, tag="compact"):
    """Asks for a snapshot, and to be answered when it is on disk and the log has let go of what it covers."""

    number: int


class Watch(msgspec.Struct, frozen=True, array_like=True, tag="watch"):
    """Asks the member to watch from now on for how long its event loop is held up, which costs a little."""

    number: int


class Ask(msgspec.Struct, frozen=True, array_like=True, tag="ask"):
    """Asks how the member is. What `pause_ms` says begins anew."""

    number: int


Request: TypeAlias = Put | Read | Compact | Watch | Ask


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """How a member is. `pause_ms` is the longest time its event loop did nothing else for."""

    leads: bool
    applied: int = 0
    last: int = 0
    pause_ms: float = 0.0


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """Answers the request of that number."""

    number: int
    done: bool
    standing: Standing | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode_request = msgspec.msgpack.Decoder(Request).decode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode

Reply: TypeAlias = Callable[[Answer], None]


class _Side(asyncio.Protocol):
    """One side of a connection. What is sent within one turn of the event loop is written at once."""

    def __init__(self) -> None:
        self._frames = Deframer(_LIMIT)
        self._transport: asyncio.Transport | None = None
        self._waits: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast(asyncio.Transport, transport)

    def _send(self, payload: bytes) -> None:
        if not self._waits:
            asyncio.get_running_loop().call_soon(self._write)
        self._waits.append(framed(payload))

    def _write(self) -> None:
        data = b"".join(self._waits)
        self._waits.clear()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


class Door(_Side):
    """A member's side; `ask` takes a request and how to answer it."""

    def __init__(self, ask: Callable[[Request, Reply], None]) -> None:
        """Begin without a connection."""
        super().__init__()
        self._ask = ask

    def data_received(self, data: bytes) -> None:
        """Take what was asked."""
        for payload in self._frames.feed(data):
            self._ask(_decode_request(payload), self._reply)

    def _reply(self, answer: Answer) -> None:
        self._send(_encode(answer))


class DoorClient(_Side):
    """A caller's side. What is not answered when the connection ends was not done."""

    def __init__(self) -> None:
        """Begin without a connection."""
        super().__init__()
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    @classmethod
    async def connect(cls, address: str) -> DoorClient:
        """Return one that is connected. Raises OSError."""
        host, _, port = address.rpartition(":")
        _, client = await asyncio.get_running_loop().create_connection(cls, host, int(port))
        return client

    def data_received(self, data: bytes) -> None:
        """Take answers."""
        for payload in self._frames.feed(data):
            answer = _decode_answer(payload)
            future = self._waiting.pop(answer.number)
            if not future.done():
                future.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait."""
        self._transport = None
        waiting, self._waiting = self._waiting, {}
        for number, future in waiting.items():
            if not future.done():
                future.set_result(Answer(number, done=False))

    async def put(self, key: bytes, value: bytes) -> bool:
        """Return once the value is confirmed, or is known not to be."""
        return (await self._ask(Put(next(self._numbers), key, value))).done

    async def read(self) -> bool:
        """Return once the member has all that was confirmed before."""
        return (await self._ask(Read(next(self._numbers)))).done

    async def compact(self) -> bool:
        """Return once a snapshot is on disk and the log has let go of what it covers."""
        return (await self._ask(Compact(next(self._numbers)))).done

    async def watch(self) -> bool:
        """Have the member watch for how long its event loop is held up."""
        return (await self._ask(Watch(next(self._numbers)))).done

    async def standing(self) -> Standing:
        """Return how the member is."""
        return (await self._ask(Ask(next(self._numbers)))).standing or Standing(leads=False)

    async def leads(self) -> bool:
        """Return whether the member leads, as far as it knows."""
        return (await self.standing()).leads

    async def close(self) -> None:
        """Disconnect."""
        if self._transport is not None:
            self._transport.close()

    async def _ask(self, request: Request) -> Answer:
        if self._transport is None:
            return Answer(request.number, done=False)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request.number] = future
        self._send(_encode(request))
        return await future


async def reached(address: str) -> DoorClient:
    """Return a way to a member that may not have opened its door yet. Raises TimeoutError."""
    async with asyncio.timeout(_OPENS_WITHIN_S):
        while True:
            try:
                return await DoorClient.connect(address)
            except OSError:
                await asyncio.sleep(_POLL_S)
