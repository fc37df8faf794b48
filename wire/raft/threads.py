"""Work that blocks, where it holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_POOL: Final = ThreadPoolExecutor(8, "raft")  # the loop's own may be full of look-ups of names that do not come back


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns in another thread. A cancellation takes effect once it has ended, never before.

    What it works on is not for concurrent use: nobody may go on with it, or close it, while it is at it.
    """
    loop = asyncio.get_running_loop()
    under_way: asyncio.Future[T] = loop.create_future()

    def run() -> None:  # a third of what `run_in_executor` costs, and there is one with every sync
        try:
            result = work(*args, **kwargs)
        except StopIteration as exc:  # no future takes it, and whoever waits would wait for ever
            loop.call_soon_threadsafe(under_way.set_exception, RuntimeError(f"raised StopIteration: {exc}"))
        except BaseException as exc:
            loop.call_soon_threadsafe(under_way.set_exception, exc)
        else:
            loop.call_soon_threadsafe(under_way.set_result, result)

    _POOL.submit(run)
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        while not under_way.done():
            try:
                await asyncio.wait([under_way])
            except asyncio.CancelledError:
                continue
        under_way.cancelled() or under_way.exception()  # of no interest any more
        raise
