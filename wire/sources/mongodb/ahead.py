"""One call of the client library that is under way while the pipeline works on what the one before it brought."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_PATIENCE_S: Final = 2.0


class Ahead(Generic[T]):
    """At most one call of `fetch`, whose result is kept until it is taken (I8). Close it to end what is under way.

    A wait that is cancelled leaves the call alone: the next one gets its result.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        """Call nothing yet."""
        self._fetch = fetch
        self._task: asyncio.Task[T] | None = None

    @property
    def ready(self) -> bool:
        """Whether `take` would return, or raise, at once."""
        return self._task is not None and self._task.done()

    def start(self) -> asyncio.Task[T]:
        """Call, unless a call is under way or was not taken; return its task, to wait for and nothing else."""
        if self._task is None:
            self._task = asyncio.create_task(self._call())  # noqa: TID251 (awaited in close)
        return self._task

    async def wait(self) -> None:
        """Return when `take` would."""
        await asyncio.wait([self.start()])

    def take(self) -> T:
        """Return what a call brought, which must be ready, or raise what it raised. The next `start` calls again."""
        task, self._task = self._task, None
        if task is None:
            raise asyncio.InvalidStateError
        return task.result()

    def peek(self) -> T | None:
        """Return what `take` would; None if it would raise."""
        task = self._task
        failed = task is None or not task.done() or task.cancelled() or task.exception() is not None
        return None if task is None or failed else task.result()

    async def close(self) -> None:
        """End the call that is under way. Idempotent.

        It may finish within seconds: the library loses a connection whose making is cancelled.
        """
        task, self._task = self._task, None
        if task is not None:
            await asyncio.wait([task], timeout=_PATIENCE_S)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _call(self) -> T:
        return await self._fetch()
