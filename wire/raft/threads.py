"""Work that blocks, where it holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_POOL: Final = ThreadPoolExecutor(8, "raft")  # the loop's own may be full of look-ups of names that do not come back


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns in another thread. A cancellation takes effect once it has ended, never before.

    What it works on is not for concurrent use: nobody may go on with it, or close it, while it is at it.
    """
    under_way = asyncio.get_running_loop().run_in_executor(_POOL, partial(work, *args, **kwargs))
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
