"""The documents there are, collection by collection, in ranges of `_id` of which several are read at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from wire.clients.mongodb_client import Client
from wire.clients.mongodb_errors import ERRORS, is_passing
from wire.clients.mongodb_json import key_of
from wire.core.ports import ReadLimit
from wire.core.records import Record
from wire.sources.mongodb import MongoSourceConfig
from wire.sources.mongodb.ahead import Ahead
from wire.sources.mongodb.chunk import Chunk
from wire.sources.mongodb.errors import explain
from wire.sources.mongodb.position import ChunkState, SnapshotState
from wire.sources.mongodb.records import Shape
from wire.sources.mongodb.watched import Watched, boundary, timestamp

_TIMEOUT_S: Final = 300.0  # a chunk's end is found by walking the index over it
_TRIES: Final = 2


class Snapshot:
    """Reads what is left of a snapshot. `state` says at any time what that is, behind what was handed out.

    Documents come in order of `_id` within a chunk and in any order otherwise. One that is inserted or changed
    meanwhile may be missed or seen changed: the change stream has it. Close it.
    """

    def __init__(
        self,
        client: Client,
        config: MongoSourceConfig,
        state: SnapshotState,
        collections: Sequence[str],
        offset: int,
    ) -> None:
        """Read the `collections`, sorted, no earlier than at the cluster time `offset`, from `state` on."""
        self.state = state
        self._client = client
        self._watched = Watched(config)
        self._shape = Shape(config)
        self._count = config.snapshot_chunk
        self._readers = config.snapshot_readers
        self._offset = offset
        self._collections = collections
        self._chunks = deque(self._open(chunk) for chunk in state.chunks)
        self._division: Ahead[_Divided] = Ahead(self._divide)

    @property
    def finished(self) -> bool:
        """Whether everything was handed out."""
        return self.state.divided and not self._chunks

    async def read(self, limit: ReadLimit) -> list[Record]:
        """Return the next records; none only at the end. A cancelled read loses nothing."""
        while True:
            await self._fill()
            for _ in range(len(self._chunks)):
                self._chunks.rotate(-1)  # each in turn, so that none waits for the others
                chunk = self._chunks[0]
                records = chunk.take(limit) if chunk.advance() else []
                if chunk.finished:
                    self._chunks.popleft()
                    self.state.chunks.remove(chunk.state)
                if records:
                    return records
            if self.finished:
                return []
            if self._chunks:
                await asyncio.wait({chunk.start() for chunk in self._chunks}, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Let go of the cursors. Idempotent."""
        await self._division.close()
        for chunk in self._chunks:
            await chunk.close()

    async def _fill(self) -> None:
        """Open chunks until enough are being read. What divides the collections works one chunk ahead."""
        while not self.state.divided and len(self._chunks) < self._readers:
            await self._division.wait()
            divided = self._division.take()
            self.state.namespace, self.state.frontier = divided.namespace, divided.frontier
            self.state.divided = divided.namespace is None
            if divided.chunk is not None:
                self.state.chunks.append(divided.chunk)
                self._chunks.append(self._open(divided.chunk))
            if not self.state.divided:
                self._division.start()

    def _open(self, state: ChunkState) -> Chunk:
        chunk = Chunk(self._client, self._watched, self._shape, state, self._offset)
        chunk.start()
        return chunk

    async def _divide(self) -> _Divided:
        """Return the next chunk and where the one after it begins; changes nothing."""
        namespace = self.state.namespace or self._after("")
        if namespace is None:
            return _Divided(None, None, None)
        for tries_left in reversed(range(_TRIES)):
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    found = await self._boundary(namespace, self.state.frontier)
                break
            except ERRORS as exc:
                if not tries_left or not is_passing(exc):
                    raise explain(exc, f"reading {namespace}") from exc
        upper = key_of(found[0]) if found else None
        chunk = ChunkState(namespace, self.state.frontier, upper)
        if upper is not None:
            return _Divided(chunk, namespace, upper)
        return _Divided(chunk, self._after(namespace), None)

    async def _boundary(self, namespace: str, frontier: bytes | None) -> list[Any]:
        async with self._client.start_session(causal_consistency=True) as session:
            session.advance_operation_time(timestamp(self._offset))
            return await boundary(self._client, namespace, frontier, self._count, session)

    def _after(self, namespace: str) -> str | None:
        return next((name for name in self._collections if name > namespace), None)


class _Divided:
    """A chunk that was cut off, and where the rest begins: nowhere if `namespace` is None."""

    def __init__(self, chunk: ChunkState | None, namespace: str | None, frontier: bytes | None) -> None:
        self.chunk = chunk
        self.namespace = namespace
        self.frontier = frontier
