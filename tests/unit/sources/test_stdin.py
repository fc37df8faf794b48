"""Rows from a descriptor that may be a pipe, a file or nothing at all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wire.core.config import parse
from wire.core.errors import FatalError, Finding, UnavailableError
from wire.core.formats import CsvFormat
from wire.core.plugins import ComponentContext
from wire.core.ports import Lag, ReadLimit
from wire.core.records import Batch, PartitionId
from wire.sources.stdin import PLUGIN, StdinReader, StdinSource

LIMIT = ReadLimit(1000, 1 << 20)
STDIN = PartitionId("stdin")


def source(descriptor: int, **config: Any) -> StdinSource:
    findings: list[Finding] = []
    parsed = parse(PLUGIN.config, config, "$", findings)
    assert not findings, findings
    return StdinSource(parsed, ComponentContext("test", "stdin"), descriptor=descriptor)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Give the ends for reading and writing; whoever closes one puts it out of the way with dup2."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def end_of(descriptor: int) -> None:
    """Close the last writer without freeing the number of its descriptor."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


async def rest(reader: StdinReader) -> list[Batch]:
    batches = []
    async with asyncio.timeout(30):
        while (batch := await reader.read(LIMIT)) is not None:
            batches.append(batch)
    return batches


def values(batches: list[Batch]) -> list[bytes | None]:
    return [record.value for batch in batches for record in batch.records]


async def test_lines_are_read_as_they_come_and_to_the_end(pipe: tuple[int, int]) -> None:
    readable, writable = pipe
    reader = await source(readable).open(STDIN, None)
    os.write(writable, b"\xef\xbb\xbfone\r\ntw")
    async with asyncio.timeout(30):
        first = await reader.read(LIMIT)
    assert first is not None
    assert values([first]) == [b"one"]
    os.write(writable, b"o\n\nthree")
    end_of(writable)
    batches = await rest(reader)
    assert values(batches) == [b"two", b"three"]
    assert await reader.read(LIMIT) is None
    assert reader.lag() == Lag()
    offsets = [record.offset for batch in [first, *batches] for record in batch.records]
    assert offsets == sorted(set(offsets))


async def test_a_cancelled_read_loses_nothing(pipe: tuple[int, int]) -> None:
    readable, writable = pipe
    reader = await source(readable).open(STDIN, None)
    os.write(writable, b"half")
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await reader.read(LIMIT)
    os.write(writable, b" a line\n")
    end_of(writable)
    assert values(await rest(reader)) == [b"half a line"]


async def test_a_file_as_input(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"".join(b"%d\n" % i for i in range(100_000)))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        batches = await rest(await source(descriptor).open(STDIN, None))
    finally:
        os.close(descriptor)
    assert values(batches) == [b"%d" % i for i in range(100_000)]


async def test_after_a_restart_the_count_goes_on(pipe: tuple[int, int]) -> None:
    readable, writable = pipe
    os.write(writable, b"one\n")
    first = await (await source(readable).open(STDIN, None)).read(LIMIT)
    assert first is not None
    os.write(writable, b"two\n")
    again = await (await source(readable).open(STDIN, first.position)).read(LIMIT)
    assert again is not None
    assert (again.records[0].value, again.records[0].offset) == (b"two", 4)


async def test_csv_takes_its_columns_from_the_first_row(pipe: tuple[int, int]) -> None:
    readable, writable = pipe
    csv = source(readable, format="csv")
    os.write(writable, b'a,b\n1,"x\ny"\n2,3\n')
    end_of(writable)
    assert await csv.partitions() == ["stdin"]
    assert await csv.partitions() == ["stdin"]
    assert isinstance(csv.format, CsvFormat)
    assert csv.format.columns == ["a", "b"]
    assert values(await rest(await csv.open(STDIN, None))) == [b'1,"x\ny"', b"2,3"]


@pytest.mark.parametrize("data", [b"a,b\n1,2\n", b"1,2\n"])
async def test_csv_with_columns_given_needs_no_first_row(pipe: tuple[int, int], data: bytes) -> None:
    readable, writable = pipe
    os.write(writable, data)
    end_of(writable)
    csv = source(readable, format={"type": "csv", "columns": ["a", "b"]})
    assert values(await rest(await csv.open(STDIN, None))) == [b"1,2"]


@pytest.mark.parametrize("row", [b"a\rb\n", b"a,\xff\n"])
async def test_csv_whose_first_row_can_name_no_columns_is_refused(pipe: tuple[int, int], row: bytes) -> None:
    readable, writable = pipe
    os.write(writable, row + b"1,2\n")
    end_of(writable)
    with pytest.raises(FatalError) as caught:
        await source(readable, format="csv").partitions()
    assert caught.value.code == "source.stdin.unreadable"


async def test_csv_with_columns_given_may_begin_with_a_row_that_is_none(pipe: tuple[int, int]) -> None:
    readable, writable = pipe
    os.write(writable, b"1\r2,3\n4,5\n")
    end_of(writable)
    csv = source(readable, format={"type": "csv", "columns": ["a", "b"]})
    assert values(await rest(await csv.open(STDIN, None))) == [b"1\r2,3", b"4,5"]


async def test_csv_without_anything_has_no_columns(pipe: tuple[int, int]) -> None:
    readable, writable = pipe
    end_of(writable)
    csv = source(readable, format="csv")
    await csv.partitions()
    assert isinstance(csv.format, CsvFormat)
    assert csv.format.columns == []
    assert await rest(await csv.open(STDIN, None)) == []


async def test_a_row_that_is_too_long_stops_behind_the_one_before_it(pipe: tuple[int, int]) -> None:
    readable, writable = pipe
    os.write(writable, b"one\n" + b"x" * 100 + b"\n")
    end_of(writable)
    reader = await source(readable, max_record="10B").open(STDIN, None)
    batch = await reader.read(LIMIT)
    assert batch is not None
    assert values([batch]) == [b"one"]
    with pytest.raises(FatalError) as caught:
        await reader.read(LIMIT)
    assert caught.value.code == "source.stdin.record_too_large"


async def test_an_input_that_is_not_there_is_said(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(UnavailableError) as caught:
            await rest(await source(descriptor).open(STDIN, None))
    finally:
        os.close(descriptor)
    assert caught.value.code == "source.stdin.unreadable"
    assert "| wire run" in str(caught.value.hint)


async def test_a_closed_reader_has_ended(pipe: tuple[int, int]) -> None:
    reader = await source(pipe[0]).open(STDIN, None)
    await reader.close()
    await reader.close()
    assert await reader.read(LIMIT) is None
