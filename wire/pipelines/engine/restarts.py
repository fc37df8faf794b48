"""Begins a task anew where only that helps: what it had written since its last checkpoint was taken back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from wire.core.clock import Clock
from wire.core.errors import RestartError
from wire.pipelines.engine.patience import within
from wire.pipelines.spec import RetrySpec

log = structlog.get_logger()


async def restarted(
    start: Callable[[], Awaitable[None]], stop: asyncio.Event, retry: RetrySpec, *, clock: Clock, rng: random.Random
) -> None:
    """Start a task, from opening what it needs to its end, until it ends otherwise than by RestartError.

    What is away while it opens is waited for there: here the pause is that of a first attempt.
    """
    while True:
        try:
            await start()
            return
        except RestartError as exc:
            wait_s = rng.uniform(0, retry.initial.s)
            log.warning("task_restarts", code=exc.code, error=exc.message, wait_s=round(wait_s, 3))
        if not await within(stop, 0, clock.sleep(wait_s)):
            return
