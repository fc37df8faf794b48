"""Waiting for a condition instead of for some time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], deadline_s: float = 30.0) -> None:
    """Wait for a condition to hold; fail with TimeoutError when it does not within the deadline."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.002)
