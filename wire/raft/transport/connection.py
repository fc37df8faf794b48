"""One stream, with a limit of time on whatever is waited for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Set
from typing import Final

from wire.raft.transport.framing import HEADER_SIZE, announced
from wire.raft.transport.tls import certificate_names

CHUNK: Final = 1 << 18
"""How much is written at once: of more, a write that is cancelled may have written a part."""
_FAREWELL_S: Final = 0.5


class LostError(ConnectionError):
    """The connection is of no more use. Where the system said so first, that is the cause."""


class StalledError(LostError):
    """The other side takes nothing any more."""


class SilentError(LostError):
    """Nothing was heard from the other side for too long."""


class Connection:
    """A stream to another member. Reading and writing raise LostError at its end; close it in every case."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, write_timeout_s: float) -> None:
        """Take over both halves of a stream."""
        self._reader = reader
        self._writer = writer
        self._write_timeout_s = write_timeout_s
        peer = writer.get_extra_info("peername")  # not known any more when the connection is closed
        self._remote = shown(peer) if isinstance(peer, tuple) else "an unknown place"

    @property
    def remote(self) -> str:
        """Where the other side's end is, for messages."""
        return self._remote

    @property
    def is_secure(self) -> bool:
        """Whether it is encrypted."""
        return self._writer.get_extra_info("ssl_object") is not None

    @property
    def certificate_names(self) -> Set[str] | None:
        """The names the other side has proven, None without TLS."""
        return certificate_names(self._writer)

    @property
    def protocol(self) -> str | None:
        """What was agreed on by ALPN, None if nothing was."""
        secure = self._writer.get_extra_info("ssl_object")
        return None if secure is None else secure.selected_alpn_protocol()

    async def read_exactly(self, size: int) -> bytes:
        """Return so many bytes."""
        try:
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError:
            raise _ended() from None
        except OSError as exc:
            raise LostError(str(exc)) from exc

    async def read_frame(self, limit: int) -> bytes:
        """Return the payload of the next frame. Raises ProtocolError if it is too long."""
        return await self.read_exactly(announced(await self.read_exactly(HEADER_SIZE), limit))

    async def read(self, timeout_s: float | None) -> bytes:
        """Return what arrives next, never nothing. Raises SilentError after the timeout, if there is one."""
        try:
            async with asyncio.timeout(timeout_s):
                chunk = await self._reader.read(CHUNK)
        except TimeoutError:
            raise SilentError(f"nothing was heard for {timeout_s:g} s") from None
        except OSError as exc:
            raise LostError(str(exc)) from exc
        if not chunk:
            raise _ended()
        return chunk

    async def write(self, data: bytes) -> None:
        """Return when nearly all of it is out of our hands. Raises StalledError if nothing is taken for too long."""
        rest = memoryview(data)
        while rest:
            self._writer.write(rest[:CHUNK])
            rest = rest[CHUNK:]
            transport = self._writer.transport
            if not transport.get_write_buffer_size() and not transport.is_closing():
                continue  # nothing to wait for, and a limit of time costs as much as the writing
            try:
                async with asyncio.timeout(self._write_timeout_s):
                    await self._writer.drain()
            except TimeoutError:
                raise StalledError(f"nothing was taken for {self._write_timeout_s:g} s") from None
            except OSError as exc:
                raise LostError(str(exc)) from exc

    async def close(self) -> None:
        """Close, and give what was written a moment to leave. Idempotent, never raises."""
        close(self._writer.transport)
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await self._writer.wait_closed()
        except OSError:  # it was broken before, or the moment is over
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Cut the connection off at once. Never raises."""
        abort(self._writer)


def close(transport: asyncio.WriteTransport) -> None:
    """Begin to close a connection, unless it is closing: closed twice, TLS of Python 3.11 forgets whose it was."""
    if not transport.is_closing():
        transport.close()


def abort(writer: asyncio.StreamWriter) -> None:
    """Cut a connection off, if it is not yet. Never raises."""
    with contextlib.suppress(AttributeError):  # Python 3.11.2 knows no transport any more where TLS was closed twice
        writer.transport.abort()


def shown(address: tuple[str, int]) -> str:
    """Return an address as text."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ended() -> LostError:
    return LostError("the other side closed the connection")
