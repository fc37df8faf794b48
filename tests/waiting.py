"""Waiting for a condition instead of for some time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(condition: Callable[[], bool], deadline_s: float = 30.0) -> None:
    """Wait for a condition to hold; fail with TimeoutError when it does not within the deadline."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.002)


async def insist(attempt: Callable[[], Awaitable[T]], on: type[Exception], deadline_s: float = 60.0) -> T:
    """Try until it does not raise `on` any more, and return what it gave; fail with TimeoutError at the deadline."""
    async with asyncio.timeout(deadline_s):
        while True:
            try:
                return await attempt()
            except on:
                await asyncio.sleep(0.05)


async def comes_true(condition: Callable[[], Awaitable[bool]], deadline_s: float = 60.0) -> None:
    """Ask again and again until a condition holds; fail with TimeoutError when it does not within the deadline."""
    async with asyncio.timeout(deadline_s):
        while not await condition():
            await asyncio.sleep(0.05)
