"""Time that a test turns by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import Final

_SETTLE_PASSES: Final = 50
"""Passes of the event loop after which whoever can go on without time passing is taken to have done so."""


class VirtualClock:
    """A `wire.core.clock.Clock` that stands still until `advance` moves it.

    With `autojump` it moves by itself to the next sleeper's moment whenever nothing else happens: hours of backoff
    take milliseconds, in the same order every time. What happens outside the event loop (a socket, a thread) does
    not count as happening: don't put an autojumping clock beside real I/O that must finish first.
    """

    def __init__(self, *, start_ms: int = 1_700_000_000_000, autojump: bool = False) -> None:
        """Make a clock whose wall time is `start_ms` and whose monotonic time is 0."""
        self._start_ms = start_ms
        self._now_s = 0.0
        self._autojump = autojump
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._registered = 0
        self._watching = False

    def now_ms(self) -> int:
        """Return the virtual wall time, UTC milliseconds since 1970."""
        return self._start_ms + round(self._now_s * 1000)

    def monotonic(self) -> float:
        """Return the virtual seconds that have passed since the clock was made."""
        return self._now_s

    @property
    def sleepers(self) -> int:
        """How many tasks wait in `sleep` now."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has moved this far. Nothing to wait for still yields to the event loop once."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now_s + seconds, next(self._order), future))
        self._registered += 1
        if self._autojump:
            self._watch()
        await future

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking every sleeper at its own moment and letting it run until it waits again."""
        end = self._now_s + seconds
        await _settle()
        while (due := self._next_due()) is not None and due <= end:
            self._jump_to(due)
            await _settle()
        self._now_s = end

    def _next_due(self) -> float | None:
        while self._sleepers and self._sleepers[0][2].done():  # cancelled
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _jump_to(self, due: float) -> None:
        self._now_s = due
        while self._next_due() == due:
            heapq.heappop(self._sleepers)[2].set_result(None)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            asyncio.get_running_loop().call_soon(self._look, self._registered, _SETTLE_PASSES)

    def _look(self, registered: int, passes_left: int) -> None:
        loop = asyncio.get_running_loop()
        if registered != self._registered:  # somebody ran and went to sleep again: others may be about to
            loop.call_soon(self._look, self._registered, _SETTLE_PASSES)
        elif passes_left:
            loop.call_soon(self._look, registered, passes_left - 1)
        else:
            self._watching = False
            if (due := self._next_due()) is not None:
                self._jump_to(due)
                self._watch()


async def _settle() -> None:
    for _ in range(_SETTLE_PASSES):
        await asyncio.sleep(0)
