"""Time as a value that is passed in, so that tests can turn it by hand."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What code that needs time is given instead of reaching for it."""

    def now_ms(self) -> int:
        """Return the wall time, UTC milliseconds since 1970. May step; never use it to measure a length."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps. Only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait this long."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ms(self) -> int:  # noqa: D102 (contract in Clock)
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:  # noqa: D102 (contract in Clock)
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:  # noqa: D102 (contract in Clock)
        await asyncio.sleep(seconds)
