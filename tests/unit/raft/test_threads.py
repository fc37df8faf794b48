"""What blocking work leaves behind for whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from wire.raft.threads import in_thread


async def test_an_iterator_that_ends_too_early_is_an_error_and_no_endless_wait() -> None:
    nothing: Iterator[bytes] = iter(())
    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await in_thread(next, nothing)
