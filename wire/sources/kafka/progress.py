"""Tells the consumer group how far Wire has come: for people and tools, never for Wire itself."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from wire.core.errors import RetryableError, WireError
from wire.core.plugins import ComponentContext
from wire.sources.kafka.groups import Group

_INTERVAL_S: Final = 1.0
_CLOSE_TIMEOUT_S: Final = 2.0
_RETRY_S: Final = 0.1
_PATIENCE: Final = 5  # failures before anyone is told: a coordinator may be moving, or its topic being created

log = structlog.get_logger(__name__)


class Progress:
    """Publishes the newest released offsets, about once a second. What fails is tried again, with newer ones if any."""

    def __init__(self, group: Group, context: ComponentContext) -> None:
        """Publish to `group`; begins with the first offset."""
        self._group = group
        self._context = context
        self._pending: dict[tuple[str, int], int] = {}
        self._noted = asyncio.Event()
        self._failures = 0
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def note(self, partition: tuple[str, int], offset: int) -> None:
        """Learn that everything before `offset` is done with. Never waits; does nothing once closed."""
        if self._closed:
            return
        self._pending[partition] = offset
        self._noted.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())  # noqa: TID251 (awaited in close)

    async def close(self) -> None:
        """Publish what is left, if that can be done within seconds. Idempotent."""
        self._closed = True
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                while not await self._publish():
                    await self._context.clock.sleep(_RETRY_S)

    async def _run(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            if not await self._publish():
                self._noted.set()
            await self._context.clock.sleep(_INTERVAL_S)

    async def _publish(self) -> bool:
        """Publish what is pending; return whether nothing is left to try again."""
        offsets = dict(self._pending)
        if not offsets:
            return True
        try:
            await self._group.commit(offsets)
        except WireError as exc:
            self._failures += 1
            if self._failures == (_PATIENCE if isinstance(exc, RetryableError) else 1):
                where = {"pipeline": self._context.pipeline, "component": self._context.name}
                log.warning("group_offsets_not_published", code=exc.code, reason=exc.message, hint=exc.hint, **where)
            return not isinstance(exc, RetryableError)
        self._failures = 0
        self._pending = {key: offset for key, offset in self._pending.items() if offsets.get(key) != offset}
        return True
