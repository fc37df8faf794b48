"""Lines on a descriptor that may be slow, or closed at its other end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from wire.core.errors import FatalError
from wire.core.formats import CsvFormat, Format, JsonFormat, TextFormat
from wire.core.plugins import ComponentContext
from wire.core.ports import TaskId
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sinks.drop import DropConfig, DropSink
from wire.sinks.stdout import StdoutConfig, StdoutSink, StdoutWriter

CONTEXT = ComponentContext("test", "stdout")


def batch(*values: bytes | None) -> Batch:
    records = [Record(value, None, 0, (), i) for i, value in enumerate(values)]
    return Batch(PartitionId("p"), Position(b""), records)


async def writer(descriptor: int, form: Format | None = None) -> StdoutWriter:
    sink = StdoutSink(StdoutConfig(format=form or JsonFormat()), CONTEXT, descriptor=descriptor)
    return await sink.open(TaskId("default/test"), 1, {})


async def written(path: Path, form: Format, *values: bytes | None) -> bytes:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        assert not await (await writer(descriptor, form)).write([batch(*values), batch()])
    finally:
        os.close(descriptor)
    return path.read_bytes()


async def test_one_line_per_record_in_every_format(tmp_path: Path) -> None:
    assert await written(tmp_path / "1", JsonFormat(), b"1", None, b'{\n"a":2}') == b'1\nnull\n{ "a":2}\n'
    assert await written(tmp_path / "2", TextFormat(), b"a", None, b"b") == b"a\n\nb\n"
    assert await written(tmp_path / "3", CsvFormat(columns=["a", 'b"']), b"1,2") == b'a,"b"""\n1,2\n'
    assert await written(tmp_path / "4", JsonFormat()) == b""


async def test_a_slow_reader_does_not_block_the_event_loop() -> None:
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    values = [b"%06d" % i for i in range(50_000)]
    try:
        writing = asyncio.get_running_loop().create_task((await writer(writable)).write([batch(*values)]))
        data = b""
        async with asyncio.timeout(30):
            while len(data) < 7 * len(values):
                with contextlib.suppress(BlockingIOError):
                    data += os.read(readable, 100_000)
                await asyncio.sleep(0)
            await writing
    finally:
        os.close(readable)
        os.close(writable)
    assert data.split() == values


async def test_a_write_to_a_full_pipe_can_be_cancelled() -> None:
    readable, writable = os.pipe()
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await (await writer(writable)).write([batch(b"x" * 1_000_000)])
    finally:
        os.close(readable)
        os.close(writable)


async def test_an_output_that_nobody_reads_stops_the_pipeline() -> None:
    readable, writable = os.pipe()
    os.close(readable)
    try:
        with pytest.raises(FatalError) as caught:
            await (await writer(writable)).write([batch(b"1")])
    finally:
        os.close(writable)
    assert caught.value.code == "sink.stdout.closed"


async def test_an_output_without_room_is_said() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(FatalError) as caught:
            await (await writer(descriptor)).write([batch(b"1")])
    finally:
        os.close(descriptor)
    assert caught.value.code == "sink.stdout.write_failed"
    assert caught.value.message == "can't write to standard output: no space left on device"
    assert caught.value.hint == "look where the output goes: is that open, and is there room?"


async def test_drop_takes_everything() -> None:
    dropping = await DropSink(DropConfig(), CONTEXT).open(TaskId("default/test"), 1, {})
    assert not await dropping.write([batch(b"1", None)])
    await dropping.close()
