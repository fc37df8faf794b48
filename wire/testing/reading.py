"""Ways to read a partition, for the checks of sources."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Final

from wire.core.ports import Reader, ReadLimit
from wire.core.records import Batch
from wire.testing.checking import brief

GENEROUS: Final = ReadLimit(max_records=1000, max_bytes=1 << 20)


def same_limit(limit: ReadLimit) -> Iterator[ReadLimit]:
    """Give the same limit for every read."""
    while True:
        yield limit


def random_limits(rng: random.Random) -> Iterator[ReadLimit]:
    """Give limits from the narrowest to ones that hold everything."""
    while True:
        yield ReadLimit(max_records=rng.choice((1, 2, 3, 5, 1000)), max_bytes=rng.choice((1, 100, 1000, 1 << 20)))


async def read_rest(reader: Reader, limits: Iterator[ReadLimit]) -> list[Batch]:
    """Read to the end."""
    batches = []
    while (batch := await reader.read(next(limits))) is not None:
        batches.append(batch)
    return batches


async def cancelled_read(reader: Reader, limit: ReadLimit, passes: int) -> asyncio.Task[Batch | None]:
    """Start a read and cancel it after some passes of the event loop. Returns it, cancelled or done before that."""
    task = asyncio.get_running_loop().create_task(_read(reader, limit))
    for _ in range(passes):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return task


async def _read(reader: Reader, limit: ReadLimit) -> Batch | None:
    return await reader.read(limit)


def values_of(batches: Sequence[Batch]) -> list[bytes | None]:
    """Return the values of all records, in order."""
    return [record.value for batch in batches for record in batch.records]


def expect_values(found: Sequence[bytes | None], expected: Sequence[bytes], where: str) -> None:
    """Fail with the first difference, unless both are the same."""
    if list(found) == list(expected):
        return
    pairs = enumerate(zip(found, expected, strict=False))
    first = next((i for i, (one, other) in pairs if one != other), min(len(found), len(expected)))
    raise AssertionError(
        f"{where}: expected {len(expected)} records, found {len(found)}; the first difference is at {first}: "
        f"expected {brief(expected[first:])}, found {brief(found[first:])}"
    )
