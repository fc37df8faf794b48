"""Tells the consumer group how far Wire has come: for people and tools, never for Wire itself."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from wire.core.errors import WireError
from wire.core.plugins import ComponentContext
from wire.sources.kafka.offsets import Group

_INTERVAL_S: Final = 1.0
_CLOSE_TIMEOUT_S: Final = 2.0

log = structlog.get_logger(__name__)


class Progress:
    """Publishes the newest released offsets, about once a second. What fails is tried again with newer ones."""

    def __init__(self, group: Group, context: ComponentContext) -> None:
        """Publish to `group`; begins with the first offset."""
        self._group = group
        self._context = context
        self._pending: dict[tuple[str, int], int] = {}
        self._noted = asyncio.Event()
        self._warned = False
        self._task: asyncio.Task[None] | None = None

    def note(self, partition: tuple[str, int], offset: int) -> None:
        """Learn that everything before `offset` is done with. Never waits."""
        self._pending[partition] = offset
        self._noted.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())  # noqa: TID251 (awaited in close)

    async def close(self) -> None:
        """Publish what is left, if that can be done within seconds. Idempotent."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._publish()
        except TimeoutError:
            return

    async def _run(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            await self._publish()
            await self._context.clock.sleep(_INTERVAL_S)

    async def _publish(self) -> None:
        offsets = dict(self._pending)
        if not offsets:
            return
        try:
            await self._group.commit(offsets)
        except WireError as exc:
            self._noted.set()
            if not self._warned:
                self._warned = True
                where = {"pipeline": self._context.pipeline, "component": self._context.name}
                log.warning("group_offsets_not_published", code=exc.code, reason=exc.message, hint=exc.hint, **where)
            return
        self._warned = False
        self._pending = {key: offset for key, offset in self._pending.items() if offsets.get(key) != offset}
