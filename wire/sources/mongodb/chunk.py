"""A range of `_id` being read, one batch ahead of what is handed out."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from wire.clients.mongodb_client import Client
from wire.clients.mongodb_errors import ERRORS, is_passing
from wire.core.ports import ReadLimit
from wire.core.records import Record
from wire.sources.mongodb.ahead import Ahead
from wire.sources.mongodb.buffer import Buffer
from wire.sources.mongodb.cursor import fetch
from wire.sources.mongodb.errors import explain
from wire.sources.mongodb.position import ChunkState
from wire.sources.mongodb.records import Shape
from wire.sources.mongodb.watched import Watched, timestamp

_BATCH: Final = 500
_TIMEOUT_S: Final = 300.0
_CLOSE_TIMEOUT_S: Final = 2.0
_TRIES: Final = 2  # a primary that steps down is away for a moment, and that is nobody's business


class Chunk:
    """Reads what is left of `state`, which says at any time what was handed out. Close it.

    A cursor that is lost is opened again behind the last document that was fetched.
    """

    def __init__(self, client: Client, watched: Watched, shape: Shape, state: ChunkState, offset: int) -> None:
        """Read as of a time no earlier than the cluster time `offset`."""
        self.state = state
        self._client = client
        self._watched = watched
        self._shape = shape
        self._offset = offset
        self._reached = ChunkState(state.namespace, state.lower, state.upper, state.last)
        self._ahead: Ahead[list[Record]] = Ahead(self._fetch)
        self._buffer = Buffer()
        self._cursor: Any = None
        self._session: Any = None
        self._exhausted = False
        self.finished = False

    def start(self) -> asyncio.Task[list[Record]]:
        """Fetch, unless it is under way; return its task, to wait for and nothing else."""
        return self._ahead.start()

    def advance(self) -> bool:
        """Return whether `take` has something to give and knows what comes behind it. Sets `finished` at the end.

        Raises what fetching raised; the next `start` tries again.
        """
        if not self._buffer and self._ahead.ready:
            self._buffer = Buffer(self._ahead.take())
            self.finished = not self._buffer
            if self._buffer:
                self._ahead.start()
        return bool(self._buffer) and self._ahead.ready

    def take(self, limit: ReadLimit) -> list[Record]:
        """Return the next records. Sets `finished` with the last."""
        records = self._buffer.take(limit)
        self.state.last = records[-1].key
        self.finished = not self._buffer and self._ahead.peek() == []
        return records

    async def _fetch(self) -> list[Record]:
        """Return the records of the next batch that has any, none at the end."""
        for tries_left in reversed(range(_TRIES)):
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    while not self._exhausted:
                        if records := await self._next_batch():
                            return records
                return []
            except ERRORS as exc:
                await self._forget()
                if not tries_left or not is_passing(exc):
                    raise explain(exc, f"reading {self.state.namespace}") from exc
        return []

    async def _next_batch(self) -> list[Record]:
        if self._cursor is None:
            self._cursor, self._session = await self._open()
        records: list[Record] = []
        for documents in await fetch(self._cursor):
            records += self._shape.snapshot(documents, self.state.namespace, self._offset)
        if records and records[0].key == self._reached.last:  # a range begins with its lower bound
            del records[0]
        if records:
            self._reached.last = records[-1].key
        if not self._cursor.alive:
            self._exhausted = True
            await self._forget()
        return records

    async def _open(self) -> tuple[Any, Any]:
        session = self._client.start_session(causal_consistency=True)
        session.advance_operation_time(timestamp(self._offset))  # a server that is behind waits until it is not
        found = self._watched.read_chunk(self._client, self._reached, self._offset, _BATCH, session)
        return (await found if asyncio.iscoroutine(found) else found), session

    async def _forget(self) -> None:
        cursor, session, self._cursor, self._session = self._cursor, self._session, None, None
        with contextlib.suppress(*ERRORS):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                if cursor is not None:
                    await cursor.close()
                if session is not None:
                    await session.end_session()

    async def close(self) -> None:
        """Let go of the cursor. Idempotent."""
        await self._ahead.close()
        await self._forget()
