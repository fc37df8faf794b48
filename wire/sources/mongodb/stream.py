"""The change stream, one batch ahead of what is handed out, and opened again where it was cut."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final, NamedTuple

from wire.clients.mongodb_client import Client, Deployment
from wire.clients.mongodb_errors import ERRORS, is_passing
from wire.sources.mongodb.errors import explain
from wire.sources.mongodb.watched import Watched, offset_of, timestamp

_BATCH: Final = 500
FOLLOWING_MS: Final = 1000
ENDING_MS: Final = 50
"""How long the server waits for changes, where there are none, before it answers that."""

_TIMEOUT_S: Final = 300.0  # a server may have a long history to go through before it finds anything
_CLOSE_TIMEOUT_S: Final = 2.0
_TRIES: Final = 2
_SPLITS_SINCE: Final = (6, 0, 9)


class Events(NamedTuple):
    """What one request brought: whole change events, and the token behind them."""

    events: list[dict[str, Any]]
    token: dict[str, Any]


class ChangeStream:
    """Fetches change events from a token on. Used by one task at a time. Close it."""

    def __init__(
        self, client: Client, watched: Watched, deployment: Deployment, token: dict[str, Any], await_ms: int
    ) -> None:
        """Open nothing yet. A request waits `await_ms` for changes where there are none."""
        self._token = token
        self._client = client
        self._watched = watched
        self._split = deployment.version >= _SPLITS_SINCE
        self._await_ms = await_ms
        self._cursor: Any = None
        self._fragments: dict[str, Any] = {}
        self._behind = token  # never within an event that was split

    async def fetch(self) -> Events:
        """Return what there is, waiting for it no longer than agreed: perhaps nothing, with a token that moved on.

        A step-down, a lost cursor or a cut connection is tried again once, and otherwise a RetryableError; the next
        call goes on in the same place. Raises HistoryLostError when the servers no longer know that place.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    return await self._fetch()
            except ERRORS as exc:
                await self.close()
                if not tries_left or not is_passing(exc):
                    raise explain(exc, f"watching {self._watched.id}") from exc
        return Events([], self._behind)

    async def _fetch(self) -> Events:
        if self._cursor is None:
            # `startAfter` goes on behind an invalidation, too, where `resumeAfter` can't
            start = {"startAfter": self._token}
            self._cursor = await open_cursor(
                self._client, self._watched, start, split=self._split, await_ms=self._await_ms
            )
        batch: list[dict[str, Any]] = []
        await self._cursor._next_batch(batch)  # at most one request, and the whole of its answer
        token = self._cursor._post_batch_resume_token
        if batch and (token is None or not self._cursor.alive):
            token = batch[-1]["_id"]
        if not self._cursor.alive:
            self._cursor = None  # what was watched was dropped or renamed: it is watched anew
        if token is not None:
            self._token = dict(token)  # the library gives some of them undecoded
        events = [whole for event in batch if (whole := self._whole(event)) is not None] if self._split else batch
        if not self._fragments:
            self._behind = self._token
        elif events:
            self._behind = events[-1]["_id"]
        return Events(events, self._behind)

    def _whole(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Return an event, put together from its fragments; None until the last of them is there."""
        split = event.get("splitEvent")
        if split is None:
            return event
        self._fragments |= event
        if split["fragment"] < split["of"]:
            return None
        whole, self._fragments = self._fragments, {}
        del whole["splitEvent"]
        return whole

    async def close(self) -> None:
        """Let go of the cursor. Idempotent."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            with contextlib.suppress(*ERRORS):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await cursor.close()


async def open_cursor(
    client: Client, watched: Watched, start: dict[str, Any], *, split: bool, await_ms: int = FOLLOWING_MS
) -> Any:
    """Return the cursor of a change stream that begins at `start`. Raises what the client library raises."""
    pipeline = watched.stream_pipeline(start, split=split)
    return await watched.target(client).aggregate(pipeline, maxAwaitTimeMS=await_ms, batchSize=_BATCH)


async def now(client: Client, watched: Watched) -> tuple[int, dict[str, Any]]:
    """Return the cluster time as of now, and a token behind everything up to it.

    Opening a change stream for it shows whether it can be opened at all. Raises FatalError or RetryableError.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            offset = await cluster_time(client)
            start = {"startAtOperationTime": timestamp(offset + 1)}
            cursor = await open_cursor(client, watched, start, split=False)
            token = cursor._post_batch_resume_token
            await cursor.close()
    except ERRORS as exc:
        raise explain(exc, f"watching {watched.id}") from exc
    return offset, dict(token)


async def cluster_time(client: Client) -> int:
    """Return the time of the deployment's last change, as a record's offset. Raises what the client library raises."""
    answer = await client.admin.command("ping")
    return offset_of(answer["operationTime"])
