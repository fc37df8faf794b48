"""Begins a task anew where only that helps: what it had written since its last checkpoint was taken back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from wire.core.clock import Clock
from wire.core.errors import RestartError, RetryableError, UnavailableError, WireError, root_cause
from wire.pipelines.engine.patience import within
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.retry import Backoff
from wire.pipelines.spec import RetrySpec

log = structlog.get_logger()

_LONG_S: Final = 60.0
_LASTING: Final = ("config.", "pipeline.", "checkpoint.")


async def restarted(
    start: Callable[[], Awaitable[None]],
    stop: asyncio.Event,
    retry: RetrySpec,
    progress: Progress,
    *,
    clock: Clock,
    rng: random.Random,
) -> None:
    """Start a task, from opening what it needs to its end, until it ends otherwise than by RestartError.

    Once one has ended so, what is away when the next one opens is waited for, too: it was there. Pauses grow as `retry`
    says until a start has gone well for a minute; `progress` tells of them. Raises what `start` raises otherwise, and
    FatalError when the attempts are used up.
    """
    backoff, began = Backoff(retry, rng), False
    while True:
        started_at = clock.monotonic()
        try:
            await start()
            return
        except Exception as exc:
            error = root_cause(exc) if isinstance(exc, BaseExceptionGroup) else exc
            away = began and isinstance(error, UnavailableError) and not error.code.startswith(_LASTING)
            if not (isinstance(error, RestartError) or away) or not isinstance(error, WireError):
                raise
            began = True
            if clock.monotonic() - started_at > _LONG_S:
                backoff.reset()
            wait_s = backoff.next_s(RetryableError(error.code, error.message, hint=error.hint))
            progress.state, progress.last_error = "retrying", str(error)
            log.warning("task_restarts", code=error.code, error=error.message, wait_s=round(wait_s, 3))
        if not await within(stop, 0, clock.sleep(wait_s)):
            return
