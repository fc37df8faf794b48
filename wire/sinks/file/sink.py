"""The `file` sink and its writer: the asyncio side of `Output`."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from wire.clients.compression import codec_of_name, compressor
from wire.core.clock import Clock
from wire.core.errors import WireError
from wire.core.formats import CsvFormat, Format
from wire.core.plugins import ComponentContext
from wire.core.ports import Failure, Guarantee, TaskId
from wire.core.records import Batch, Checkpoint, PartitionId
from wire.core.units import Duration
from wire.sinks.file import disk, recovery
from wire.sinks.file.config import FileSinkConfig
from wire.sinks.file.lines import Lines
from wire.sinks.file.naming import Marks, finished_name, lineage_of, new_lineage
from wire.sinks.file.output import Layout, Output
from wire.sinks.file.token import Token, newest

T = TypeVar("T")


class FileSink:
    """Files of which exactly what the checkpoints cover counts."""

    format: Format
    guarantee = Guarantee.EXACTLY_ONCE
    carries_headers = False

    def __init__(self, config: FileSinkConfig, context: ComponentContext) -> None:
        """Prepare; nothing is opened yet."""
        self._config = config
        self._context = context
        self._path = config.path if isinstance(config.path, str) else None
        if self._path is None:
            context.permissions.require_path(config.directory)
        self.format = config.format

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> FileWriter:
        """Publish what the checkpoints cover and was not finished, and begin behind it.

        Raises UnavailableError when the folder can't be written, RetryableError when the disk is full, FatalError when
        a file is in the way or what was committed is gone.
        """
        output = await _in_thread(lambda: self._begin(task, epoch, newest(recover.values())))
        rotate = self._config.rotate
        return FileWriter(output, self._context.clock, rotate.max_age if rotate else None)

    def _begin(self, task: TaskId, epoch: int, token: Token | None) -> Output:
        config = self._config
        layout = self._layout(task)
        # files of another machine are none of ours: nor are parts that were ours before these, if there are any
        lineage = lineage_of(token.identity) if token and recovery.is_here(token) else new_lineage()
        marks = Marks(task, f"{self._context.name}\0{config.path}\0{config.directory}", epoch, lineage)
        compressor(layout.codec or codec_of_name(self._path or ""))  # a missing library shows at the start
        with disk.described():
            self._check_free(layout, token)
            recovery.claim(layout.folder, marks)
            if token is not None:
                recovery.recover(token, marks)
        return Output(layout, Lines(layout.single or self._path, config.format), marks, token, self._context.clock)

    def _layout(self, task: TaskId) -> Layout:
        config, path = self._config, self._path
        return Layout(
            folder=config.directory if path is None else os.path.dirname(path),
            single=None if path is None or config.rotate else finished_name(path, task.slot, None),
            computed=path is None,
            slot=task.slot,
            codec=None if config.compression == "auto" else config.compression,
            header=_header(config.format),
            rotate=config.rotate,
            max_open=config.max_open_files,
            permissions=self._context.permissions,
        )

    def _check_free(self, layout: Layout, token: Token | None) -> None:
        """Tell at the start, not at the first record, that the first file is there already."""
        if layout.single is not None and not (token and token.owned == layout.single):
            recovery.check_free(layout.single)
        elif layout.single is None and self._path is not None:
            recovery.check_free(finished_name(self._path, layout.slot, token.number if token else 1))


def _header(file_format: Format) -> bytes:
    if not isinstance(file_format, CsvFormat) or file_format.columns is None:
        return b""
    text = io.StringIO()
    csv.writer(text, delimiter=file_format.delimiter, lineterminator="\n").writerow(file_format.columns)
    return text.getvalue().encode()


class FileWriter:
    """A `TransactionalWriter`. Writes go straight to the operating system's cache; flushing runs in threads."""

    def __init__(self, output: Output, clock: Clock, max_age: Duration | None) -> None:
        """Write to `output`, and finish files older than `max_age` even when nothing is written."""
        self._output = output
        self._clock = clock
        self._busy = asyncio.Lock()
        self._failed: WireError | None = None
        self._ager: asyncio.Task[None] | None = None
        if max_age is not None:
            self._ager = asyncio.get_running_loop().create_task(self._age(max_age))

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        """Add the records to their files. After an error nothing was added.

        Raises RetryableError when the disk is full, FatalError when a file is in the way.
        """
        self._raise_failure()
        if self._output.must_copy:
            async with self._busy:
                await _in_thread(self._output.prepare)
        return self._output.write(batches)

    async def commit(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> bytes:  # noqa: D102 (contract in TransactionalWriter)
        self._raise_failure()
        async with self._busy:
            return await _in_thread(self._output.commit)

    async def committed(self) -> None:  # noqa: D102 (contract in TransactionalWriter)
        async with self._busy:
            await _in_thread(self._output.confirm)

    async def close(self) -> None:
        """Publish what stored checkpoints cover; the rest is discarded, here or at the next open. Idempotent."""
        if self._ager is not None:
            self._ager.cancel()
            await asyncio.wait([self._ager])
        async with self._busy:
            await _in_thread(self._output.close)

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise self._failed

    async def _age(self, max_age: Duration) -> None:
        while True:
            await self._clock.sleep(min(1.0, max(0.01, max_age.s / 4)))
            if not self._busy.locked():  # else the next round will do
                try:
                    self._output.expire()
                except WireError as exc:
                    self._failed = exc
                    return


async def _in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread; when cancelled, wait for its end, so that nothing else runs beside it."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        with contextlib.suppress(WireError, OSError):
            future.result()
        raise
