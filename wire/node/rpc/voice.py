"""What several tasks say on one connection."""

from __future__ import annotations

import asyncio

from wire.raft.transport.connection import CHUNK, Connection, LostError


class Voice:
    """Writes whole frames, one at a time, in the order they are given."""

    def __init__(self, connection: Connection) -> None:
        """Write to a connection that nobody else writes to."""
        self._connection = connection
        self._writing = asyncio.Lock()

    async def say(self, frame: bytes) -> None:
        """Write a frame. A connection that takes nothing is cut off, which whoever reads notices; raises LostError."""
        async with self._writing:
            try:
                await self._connection.write(frame)
            except LostError:
                self._connection.abort()
                raise
            except asyncio.CancelledError:
                if len(frame) > CHUNK:  # a part of it may be written, and nothing could follow that
                    self._connection.abort()
                raise
