"""Frames: four bytes of length, most significant first, then that many bytes. A frame of no bytes is a sign of life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from wire.core.errors import FatalError

T = TypeVar("T")

HEADER_SIZE: Final = 4
SIGN_OF_LIFE: Final = b"\0\0\0\0"


class ProtocolError(FatalError):
    """What the other side sent is not part of the protocol: the connection is of no more use."""

    def __init__(self, message: str) -> None:
        """Say what was wrong with it."""
        super().__init__("raft.protocol_fault", message)


def framed(payload: bytes) -> bytes:
    """Return the payload as a frame."""
    return len(payload).to_bytes(HEADER_SIZE, "big") + payload


def announced(header: bytes | bytearray, limit: int) -> int:
    """Return how long the frame is that begins with these four bytes. Raises ProtocolError if that is too long."""
    size = int.from_bytes(header, "big")
    if size > limit:
        raise ProtocolError(f"a frame of {size} bytes was announced, {limit} are allowed")
    return size


class Deframer:
    """Takes a stream in chunks and gives the payloads that are complete. Holds at most one frame and one chunk."""

    def __init__(self, limit: int) -> None:
        """Begin at the beginning of a frame; no payload may be longer than `limit` bytes."""
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the payloads that `chunk` completes.

        Raises ProtocolError as soon as a frame announces that it is too long; nothing can be read after that.
        """
        buffer = self._buffer
        buffer += chunk
        payloads = []
        start = 0
        while len(buffer) >= start + HEADER_SIZE:
            end = start + HEADER_SIZE + announced(buffer[start : start + HEADER_SIZE], self._limit)
            if len(buffer) < end:
                break
            payloads.append(bytes(memoryview(buffer)[start + HEADER_SIZE : end]))
            start = end
        del buffer[:start]
        return payloads


def decoded(decode: Callable[[bytes], T], payload: bytes) -> T:
    """Decode what came from outside, with a decoder of msgspec. Raises ProtocolError for whatever is wrong with it."""
    try:
        return decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise ProtocolError(f"{len(payload)} bytes are no message: {exc}") from exc
