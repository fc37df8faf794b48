"""How long things may take once a run has been told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def within(stop: asyncio.Event, patience_s: float, work: Coroutine[Any, Any, object]) -> bool:
    """Do `work` in this very task, until it is done or `patience_s` after `stop` was set; say whether it is done.

    Work that is given up on is cancelled. What it raises comes out in an exception group.
    """
    try:
        async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_watch(stop, patience_s, limit))
            try:
                await work
            finally:
                watch.cancel()
    except TimeoutError:
        return False
    return True


async def _watch(stop: asyncio.Event, patience_s: float, limit: asyncio.Timeout) -> None:
    await stop.wait()
    limit.reschedule(asyncio.get_running_loop().time() + patience_s)


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` even if this is cancelled meanwhile."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()  # of no interest any more
        raise
