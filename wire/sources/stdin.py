"""Lines from standard input."""

from __future__ import annotations

import asyncio
import csv
import os
import select
from collections.abc import Sequence
from itertools import repeat
from typing import Annotated, Final

import msgspec

from wire.clients.framing import Framer, Rows, RowTooLargeError, split_csv, split_lines
from wire.core.clock import Clock
from wire.core.config import Config, doc
from wire.core.errors import FatalError, UnavailableError
from wire.core.formats import CsvFormat, Format, JsonFormat, RawFormat, TextFormat
from wire.core.plugins import ComponentContext, Plugin
from wire.core.ports import Lag, ReadLimit
from wire.core.records import Batch, Fingerprint, PartitionId, Position, Record
from wire.core.units import Size

_PARTITION: Final = PartitionId("stdin")
_CHUNK: Final = 1 << 18
_BOM: Final = b"\xef\xbb\xbf"


class StdinConfig(Config, frozen=True, kw_only=True):
    """Reads standard input row by row, to its end.

    Input that was read can't be read again: after a restart the pipeline goes on with what its input then gives. Where
    records must not be lost, write them to a file first and use the `file` source.
    """

    format: Annotated[
        Format,
        doc("How a row is encoded. A row is a line; in `csv` the first one names the columns, unless they are given."),
    ] = JsonFormat()
    max_record: Annotated[Size, doc("A longer row stops the pipeline: nothing is cut or left out.")] = Size(16 << 20)


class StdinSource:
    """Standard input, or another descriptor, as one partition.

    In csv the first row is waited for by `partitions` and `open`; `format` names the columns from then on.
    """

    format: Format
    max_readers: int | None = None

    def __init__(self, config: StdinConfig, context: ComponentContext, *, descriptor: int = 0) -> None:
        """Read from `descriptor`, which stays open."""
        self.format = config.format
        self._input = _Input(config, descriptor)
        self._clock = context.clock
        self._begun = False

    def fingerprint(self) -> Fingerprint:  # noqa: D102 (contract in Source)
        return Fingerprint(b"stdin")

    async def partitions(self) -> Sequence[PartitionId]:  # noqa: D102 (contract in Source)
        await self._begin()
        return [_PARTITION]

    async def open(self, partition: PartitionId, resume: Position | None) -> StdinReader:
        """Go on with what the input gives. `resume` only says how far the count of bytes had come."""
        await self._begin()
        return StdinReader(self._input, msgspec.msgpack.decode(resume, type=int) if resume else 0, self._clock)

    async def close(self) -> None:
        """Do nothing: the descriptor is the process's."""

    async def _begin(self) -> None:
        if not isinstance(self.format, CsvFormat) or self._begun:
            return
        await self._input.fill()
        row = self._input.first()
        try:
            names = _names(row, self.format.delimiter) if row is not None else []
        except (csv.Error, UnicodeDecodeError) as exc:
            if self.format.columns is None:
                reason = f"the first row can't name the columns: {exc}"
                hint = "mend the first row, or give the names in `format.columns`"
                raise FatalError("source.stdin.unreadable", reason, hint=hint) from exc
            names = None  # so it is a record
        if names is not None and self.format.columns in (None, names):
            self.format = msgspec.structs.replace(self.format, columns=names)
            self._input.skip(1 if row is not None else 0)
        self._begun = True


def _names(row: bytes, delimiter: str) -> list[str]:
    return next(csv.reader([row.decode()], delimiter=delimiter), [])


class _Input:
    """Rows that were read and not yet given."""

    def __init__(self, config: StdinConfig, descriptor: int) -> None:
        self._descriptor = descriptor
        self._max_row = config.max_record.bytes
        self._framer = Framer(
            0,
            max_row=self._max_row,
            split=split_csv(config.format.delimiter) if isinstance(config.format, CsvFormat) else split_lines,
            keep_blank=isinstance(config.format, TextFormat | RawFormat),
        )
        self._rows = Rows([], [0])
        self._next = 0
        self._begun = False
        self._ended = False

    async def fill(self) -> bool:
        """Wait until there is a row to be given; False when the input has ended. Cancelling it loses nothing."""
        while self._next == len(self._rows.values):
            if self._ended:
                return False
            await _readable(self._descriptor)
            chunk = self._read()
            self._ended = not chunk
            self._rows, self._next = self._framed(chunk), 0
        return True

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _CHUNK)
        except OSError as exc:
            reason = f"can't read standard input: {(exc.strerror or str(exc)).lower()}"
            hint = "give it something to read, as in `wire run FILE < input` or `… | wire run FILE`"
            raise UnavailableError("source.stdin.unreadable", reason, hint=hint) from exc

    def _framed(self, chunk: bytes) -> Rows:
        try:
            if chunk and not self._begun:
                self._begun = True
                chunk = chunk.removeprefix(_BOM)
            if chunk or not self._ended:
                return self._framer.feed(chunk)
            return self._framer.finish()
        except RowTooLargeError as exc:
            raise FatalError(
                "source.stdin.record_too_large",
                f"the row that starts at byte {exc.offset} is longer than {self._max_row} bytes",
                hint="raise `max_record`",
            ) from exc

    def first(self) -> bytes | None:
        """Return the next row without taking it, None at the end."""
        return self._rows.values[self._next] if self._next < len(self._rows.values) else None

    def skip(self, count: int) -> None:
        """Take rows and give them to nobody."""
        self._next += count

    def take(self, limit: ReadLimit) -> Rows:
        """Take as many of the rows that are there as the limit allows."""
        taken = self._rows.fitting(self._next, max_rows=limit.max_records, max_bytes=limit.max_bytes)
        self._next += len(taken.values)
        return taken


class StdinReader:
    """A `Reader` of what the input gives. `base` is how many bytes earlier runs have read."""

    def __init__(self, source: _Input, base: int, clock: Clock) -> None:
        """Read on in `source`."""
        self._input = source
        self._base = base
        self._clock = clock
        self._closed = False

    async def read(self, limit: ReadLimit) -> Batch | None:  # noqa: D102 (contract in Reader)
        if self._closed or not await self._input.fill():
            return None
        rows = self._input.take(limit)
        offsets = [self._base + edge for edge in rows.edges]
        records = list(map(Record, rows.values, repeat(None), repeat(self._clock.now_ms()), repeat(()), offsets))
        return Batch(_PARTITION, Position(msgspec.msgpack.encode(offsets[-1])), records)

    async def release(self, upto: Position) -> None:
        """Do nothing: what was read is gone already."""

    def lag(self) -> Lag:
        """Return nothing: a pipe doesn't tell."""
        return Lag()

    async def close(self) -> None:  # noqa: D102 (contract in Reader)
        self._closed = True


async def _readable(descriptor: int) -> None:
    """Wait until a read returns at once, without setting the descriptor, which others share, to non-blocking."""
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    if ready.poll(0):  # at once for files too, which the event loop can't wait for
        return
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


PLUGIN = Plugin(
    kind="source",
    summary="Reads standard input row by row, to its end.",
    config=StdinConfig,
    build=StdinSource,
    terminal=True,
    repeats=False,
    example="""\
source:
  type: stdin
""",
)
