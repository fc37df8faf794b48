"""Reads the snapshot, then the change stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import structlog

from wire.clients.mongodb_client import Client, Deployment
from wire.clients.mongodb_errors import ERRORS
from wire.core.errors import FatalError, WireError
from wire.core.plugins import ComponentContext
from wire.core.ports import Lag, ReadLimit
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sources.mongodb import MongoSourceConfig
from wire.sources.mongodb.ahead import Ahead
from wire.sources.mongodb.buffer import Buffer
from wire.sources.mongodb.errors import HistoryLostError, explain, gone, history_lost_again
from wire.sources.mongodb.position import MongoPosition, SnapshotState, pack_token, time_of, unpack_token
from wire.sources.mongodb.records import Shape
from wire.sources.mongodb.snapshot import Snapshot
from wire.sources.mongodb.stream import ENDING_MS, FOLLOWING_MS, ChangeStream, Events, now
from wire.sources.mongodb.watched import GONE, Watched, offset_of

log = structlog.get_logger(__name__)

_CHANGES: Final = frozenset({"insert", "update", "replace", "delete"})
_MOVE_S: Final = 1.0  # how often the position moves where there is nothing to hand out
_LOSSES: Final = 3


class MongoReader:
    """Reads all that a source selects, as one partition. Close it."""

    def __init__(
        self,
        client: Client,
        deployment: Deployment,
        config: MongoSourceConfig,
        context: ComponentContext,
        *,
        place: MongoPosition,
        end: int | None,
        told: bool,
    ) -> None:
        """Go on at `place`; with an `end`, changes after that cluster time are left out.

        Unless the engine was `told` of the place, the first batch does nothing else: what was deleted before a later
        beginning would never be known.
        """
        self._told = told
        self._client = client
        self._deployment = deployment
        self._config = config
        self._context = context
        self._watched = Watched(config)
        self._shape = Shape(config)
        self._end = end
        self._place = place
        self._snapshot: Snapshot | None = None
        self._beginning: Ahead[Snapshot] = Ahead(self._begin_snapshot)
        self._documents_left: int | None = None
        self._changed_ms: int | None = None
        self._go_on_after_drop = config.on_drop == "continue" or (config.on_drop is None and not self._watched.named)
        self._moved_at = context.clock.monotonic()
        self._begin_stream()

    def _begin_stream(self) -> None:
        token = unpack_token(self._place.token)
        await_ms = FOLLOWING_MS if self._end is None else ENDING_MS
        self._stream = ChangeStream(self._client, self._watched, self._deployment, token, await_ms)
        self._ahead: Ahead[Events] = Ahead(self._stream.fetch)
        self._buffer = Buffer()
        self._tokens: list[dict[str, Any]] = []
        self._behind = token
        self._caught_up = False
        self._ended = self._is_end(token, quiet=False)
        self._problem: WireError | None = None

    async def read(self, limit: ReadLimit) -> Batch | None:
        """Return the next documents or changes.

        A batch without records moves the position over changes that are not selected, so that a quiet collection
        doesn't fall out of the history.
        """
        if not self._told:
            self._told = True
            return self._batch([])
        while True:
            try:
                if self._place.snapshot is not None:
                    return await self._read_snapshot(limit)
                return await self._read_stream(limit)
            except HistoryLostError as exc:
                await self._start_over(exc)

    async def release(self, upto: Position) -> None:
        """Do nothing: the servers keep history by its size and age, whoever has read it."""

    def lag(self) -> Lag:
        """Return how many documents the snapshot has left, by the servers' estimate; 0 when no change is waiting.

        While there are, the time of the last one that was read tells how late it is.
        """
        if self._place.snapshot is not None:
            return Lag(self._documents_left)
        return Lag(0 if self._caught_up and not self._buffer else None, event_ms=self._changed_ms)

    async def close(self) -> None:
        """Let go of the cursors. Idempotent."""
        await self._beginning.close()
        await self._ahead.close()
        await self._stream.close()
        if self._snapshot is not None:
            await self._snapshot.close()

    # the snapshot

    async def _read_snapshot(self, limit: ReadLimit) -> Batch:
        if self._snapshot is None:
            await self._beginning.wait()
            self._snapshot = self._beginning.take()
        snapshot = self._snapshot
        records = await snapshot.read(limit)
        if self._documents_left is not None:
            self._documents_left = max(0, self._documents_left - len(records))
        if snapshot.finished:
            self._place.snapshot = None
            self._snapshot = None
        return self._batch(records)

    async def _begin_snapshot(self) -> Snapshot:
        try:
            collections = self._watched.selected(await self._watched.collections(self._client))
            counts = [await self._count(name) for name in collections]
        except ERRORS as exc:
            raise explain(exc, f"listing the collections of {self._watched.id}") from exc
        state = self._place.snapshot or SnapshotState()
        self._documents_left = sum(counts)
        return Snapshot(self._client, self._config, state, collections, self._place.offset)

    async def _count(self, namespace: str) -> int:
        database, _, name = namespace.partition(".")
        return await self._client[database][name].estimated_document_count()

    # the stream

    async def _read_stream(self, limit: ReadLimit) -> Batch | None:
        while True:
            if self._buffer:
                return self._changes(self._buffer.take(limit))
            if self._problem is not None:
                raise self._problem
            if self._ended:
                return self._moved() if self._has_moved() else None
            await self._ahead.wait()
            self._load(self._ahead.take())
            self._place.losses = 0
            quiet_s = self._context.clock.monotonic() - self._moved_at
            if not self._buffer and quiet_s >= _MOVE_S and self._has_moved():
                return self._moved()

    def _load(self, fetched: Events) -> None:
        """Turn events into records up to the end, or to something in the way."""
        records: list[Record] = []
        self._tokens = []
        self._caught_up = not fetched.events
        self._behind = fetched.token
        before: dict[str, Any] = unpack_token(self._place.token)
        for event in fetched.events:
            if self._is_over(event):
                self._behind, self._ended = before, True
                break
            token = event["_id"]
            if event["operationType"] in _CHANGES:
                record = self._shape.change(event)
                if record is not None:
                    records.append(record)
                    self._tokens.append(token)
            elif (problem := self._met(event)) is not None:
                self._behind, self._problem = before, problem
                break
            before = token
        self._ended = self._ended or self._is_end(fetched.token, quiet=not fetched.events)
        self._buffer = Buffer(records)
        if not self._ended and self._problem is None:
            self._ahead.start()

    def _is_over(self, event: dict[str, Any]) -> bool:
        return self._end is not None and "clusterTime" in event and offset_of(event["clusterTime"]) > self._end

    def _is_end(self, token: dict[str, Any], *, quiet: bool) -> bool:
        """Say whether nothing up to the end can come behind a token; with `quiet`, nothing was there before it."""
        if self._end is None:
            return False
        time = time_of(token)
        return quiet if time is None else time > self._end or (quiet and time >= self._end)

    def _met(self, event: dict[str, Any]) -> FatalError | None:
        """Return what the end of a collection means, None if reading goes on."""
        operation = event["operationType"]
        if operation not in GONE:
            return None  # an invalidation follows what caused it; other events say nothing about documents
        ns = event["ns"]
        what = f"{ns['db']}.{ns['coll']}" if "coll" in ns else f"the database {ns['db']}"
        to = event.get("to")
        happened = f"renamed to {to['db']}.{to['coll']}" if to else "dropped"
        if not self._go_on_after_drop:
            return gone(what, happened)
        where = {"pipeline": self._context.pipeline, "component": self._context.name}
        log.warning("collection_gone", what=what, happened=happened, **where)
        return None

    def _changes(self, records: list[Record]) -> Batch:
        left = len(self._buffer)
        token = self._tokens[-left - 1] if left else self._behind
        self._place.token = pack_token(token)
        self._place.offset = records[-1].offset
        self._changed_ms = records[-1].ts_ms
        return self._batch(records)

    def _has_moved(self) -> bool:
        return self._place.token != pack_token(self._behind)

    def _moved(self) -> Batch:
        self._place.token = pack_token(self._behind)
        return self._batch([])

    # both

    def _batch(self, records: Sequence[Record]) -> Batch:
        self._moved_at = self._context.clock.monotonic()
        return Batch(PartitionId(self._watched.id), self._place.encode(), list(records))

    async def _start_over(self, lost: HistoryLostError) -> None:
        """Do what `on_history_lost` says. Raises FatalError if that is nothing, or has helped nothing before."""
        policy = self._config.on_history_lost
        if policy == "fail":
            raise lost
        losses = self._place.losses + 1
        if losses >= _LOSSES:
            raise history_lost_again(losses) from lost
        where = {"pipeline": self._context.pipeline, "component": self._context.name}
        log.warning("history_lost", policy=policy, reason=lost.message, **where)
        offset, token = await now(self._client, self._watched)
        await self.close()
        snapshot = SnapshotState() if policy == "resnapshot" else None
        self._place = MongoPosition(pack_token(token), max(offset, self._place.offset), losses, snapshot)
        self._snapshot = None
        self._begin_stream()
