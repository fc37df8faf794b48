"""Carries messages over a stream socket: four bytes of length, most significant first, then a message as msgpack."""

from __future__ import annotations

import asyncio
import socket
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from wire.core.errors import FatalError
from wire.worker.protocol import MAX_MESSAGE_BYTES, Message

M_co = TypeVar("M_co", covariant=True)
M = TypeVar("M")

_HEADER: Final = 4
_READ_AHEAD: Final = 1 << 18
_MAX_UNREAD: Final = 2 * MAX_MESSAGE_BYTES


class ClosedError(Exception):
    """There is nobody at the other end, or it was cut off: nothing comes or goes any more."""


class ProtocolError(FatalError):
    """What the other side sent is no message: the channel is of no more use."""

    def __init__(self, message: str) -> None:
        """Say what was wrong with it."""
        super().__init__("worker.protocol_fault", message)


class Decoder(Protocol[M_co]):
    """What turns bytes into messages of one direction."""

    def decode(self, payload: bytes, /) -> M_co:
        """Return the message. Raises MsgspecError."""
        ...


class Channel(Generic[M]):
    """One end. `receive` gives messages of `M`; whatever is given to `send` must be of the other direction."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: Decoder[M]) -> None:
        """Speak over a stream; `open_channel` makes one."""
        self._reader = reader
        self._transport = writer.transport
        self._writer = writer  # kept: a stream whose writer is forgotten closes
        self._decoder = decoder
        self._encoder = msgspec.msgpack.Encoder()

    @property
    def unread_bytes(self) -> int:
        """How much was sent that the other side has not taken yet, beyond what the kernel holds."""
        return self._transport.get_write_buffer_size()

    def send(self, message: Message) -> None:
        """Send a message without waiting. A side that takes nothing for too long is cut off (I8).

        After that, or once the other side is gone, messages go nowhere and `receive` raises ClosedError.
        """
        if self._transport.is_closing():
            return
        if self.unread_bytes > _MAX_UNREAD:
            self._transport.abort()
            return
        payload = self._encoder.encode(message)
        if len(payload) > MAX_MESSAGE_BYTES:
            raise FatalError("worker.message_too_large", f"a message of {len(payload)} bytes can't be sent")
        self._transport.write(len(payload).to_bytes(_HEADER, "big") + payload)

    async def receive(self) -> M:
        """Return the next message. Raises ClosedError, or ProtocolError for what is none. One call at a time."""
        try:
            size = int.from_bytes(await self._reader.readexactly(_HEADER), "big")
            if size > MAX_MESSAGE_BYTES:
                raise ProtocolError(f"a message of {size} bytes was announced, {MAX_MESSAGE_BYTES} are allowed")
            payload = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as exc:
            raise ClosedError from exc
        try:
            return self._decoder.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            raise ProtocolError(f"{len(payload)} bytes are no message: {exc}") from exc

    def close(self) -> None:
        """Close at once; what was not taken yet is lost. Idempotent."""
        self._transport.abort()


async def open_channel(end: socket.socket, decoder: Decoder[M]) -> Channel[M]:
    """Speak over one end of a socket pair, which the channel owns from now on."""
    end.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=end, limit=_READ_AHEAD)
    return Channel(reader, writer, decoder)
