"""Reads one path as a partition: its file, and where rotation took that away, the files that followed."""

from __future__ import annotations

import asyncio
import enum
import os
from collections.abc import Callable
from itertools import repeat
from typing import Any, Final, TypeVar, cast

from msgspec import Struct

from wire.clients.compression import DamagedError, TruncatedError
from wire.clients.framing import Framer, Rows, RowTooLargeError, Split
from wire.core.clock import Clock
from wire.core.ports import Lag, ReadLimit
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sources.file import rotation
from wire.sources.file.columns import Columns, Remap
from wire.sources.file.errors import cant_open, corrupt, cut_short, not_utf8, read_failed, too_large
from wire.sources.file.locate import BOM, Located, first_row, locate, locate_copy
from wire.sources.file.names import path_of
from wire.sources.file.position import HEAD, ROW, FilePosition, digest
from wire.sources.file.stream import Compression, FileStream

T = TypeVar("T")

_CHUNK: Final = 1 << 20
_POLL_S: Final = (0.1, 1.0)
"""How soon to look again at a file at its end: right after it grew, and when it has long been quiet."""
_QUIET_S: Final = 1.0
"""How long a file that was rotated away has to be silent: its writer may not have noticed yet."""


class Options(Struct, frozen=True):
    """How files are read. `columns` is None where rows have no header."""

    compression: Compression
    follow: bool
    max_row: int
    split: Split
    keep_blank: bool
    columns: Columns | None
    clock: Clock


class _Seen(enum.Enum):
    """What became of a file since its end was reached."""

    SAME = enum.auto()
    MORE = enum.auto()
    CUT = enum.auto()
    REPLACED = enum.auto()


class FileReader:
    """A `Reader` of one path. Blocking calls run in threads; a chunk is read ahead while the last one is worked on."""

    def __init__(self, partition: PartitionId, resume: FilePosition | None, options: Options) -> None:
        """Prepare to read the file that `partition` names from `resume` on; `open` opens it."""
        self._partition = partition
        self._path = path_of(partition)
        self._options = options
        self._at = resume  # after the last record given
        self._stream: FileStream | None = None
        self._reading: asyncio.Future[bytes] | None = None
        self._work: asyncio.Future[Any] | None = None  # what a cancelled read left behind in a thread
        self._base = 0
        self._head = b""  # what the position's digest is made of
        self._tail = b""  # the last bytes that were read
        self._framer = Framer(0, max_row=options.max_row)
        self._rows = Rows([], [0])
        self._next = 0
        self._header_due = False
        self._remap: Remap | None = None
        self._gone: os.stat_result | None = None  # the file that was left, until there is one to follow it
        self._seen_inodes: set[int] = set()
        self._waiting = False
        self._poll_s = _POLL_S[0]
        self._replaced_at: float | None = None
        self._ended = False

    async def open(self) -> None:
        """Find the file that the position belongs to. Raises UnavailableError, FatalError or RetryableError."""
        await self._blocking(self._locate)

    async def read(self, limit: ReadLimit) -> Batch | None:  # noqa: D102 (contract in Reader)
        while self._next == len(self._rows.values):
            if self._ended:
                return None
            await self._advance()
        return self._take(limit)

    async def release(self, upto: Position) -> None:
        """Do nothing: files are not pruned."""

    def lag(self) -> Lag:  # noqa: D102 (contract in Reader)
        if self._ended and self._next == len(self._rows.values):
            return Lag(bytes=0)
        if self._stream is None or self._stream.codec != "none":
            return Lag()
        return Lag(bytes=max(0, self._stream.stat().st_size - (self._rows.edges[self._next] - self._base)))

    async def close(self) -> None:  # noqa: D102 (contract in Reader)
        self._ended = True
        self._next = len(self._rows.values)
        await self._drop()

    # giving records

    def _take(self, limit: ReadLimit) -> Batch:
        taken = self._rows.fitting(self._next, max_rows=limit.max_records, max_bytes=limit.max_bytes)
        values, edges = taken.values, taken.edges
        self._next += len(values)
        self._at = self._position(edges[-1] - self._base, edges[-2] - self._base, values[-1])
        if self._remap:
            values = self._remap(values)
        now_ms = self._options.clock.now_ms()
        records = list(map(Record, values, repeat(None), repeat(now_ms), repeat(()), edges))
        return Batch(self._partition, self._at.encode(), records)

    def _position(self, offset: int, row: int, value: bytes) -> FilePosition:
        identity = digest(self._head[: min(HEAD, offset)], value)
        return FilePosition(self._base, offset, row, min(ROW, len(value)), identity)

    # reading on

    async def _advance(self) -> None:
        """Take one step towards more records: read a chunk, wait, or go from file to file."""
        if self._work is not None:
            await self._blocking(bool)
        elif self._gone is not None:
            await self._follow_up(self._gone)
        elif self._stream is None:
            await self.open()
        elif self._waiting:
            await self._wait_for_more(self._stream)
        elif chunk := await self._chunk(self._stream):
            self._replaced_at = None
            self._load(self._frame(chunk))
        elif self._options.follow and self._stream.codec == "none":
            self._waiting = True  # what comes now is only read after a look at whether it is still the same file
        else:
            await self._end_of_file(self._stream)

    async def _chunk(self, stream: FileStream) -> bytes:
        loop = asyncio.get_running_loop()
        if self._reading is None:
            self._reading = loop.run_in_executor(None, stream.read, _CHUNK)
        try:
            chunk = await asyncio.shield(self._reading)  # a read that is cancelled leaves it for the next one
        except OSError as exc:
            await self._drop()  # to be opened again where it was
            raise read_failed(self._path, exc) from exc
        except DamagedError as exc:
            raise corrupt(stream.path, exc) from exc
        except TruncatedError as exc:
            await self._drop()
            raise cut_short(stream.path, waiting=self._options.follow) from exc
        self._reading = loop.run_in_executor(None, stream.read, _CHUNK) if chunk else None
        return chunk

    def _frame(self, chunk: bytes) -> Rows:
        self._tail = (self._tail + chunk)[-ROW:] if len(chunk) < ROW else chunk[-ROW:]
        if len(self._head) < HEAD:
            starts = not self._head
            self._head = (self._head + chunk)[:HEAD]
            if starts:
                chunk = self._without_mark(chunk)
        try:
            return self._framer.feed(chunk)
        except RowTooLargeError as exc:
            raise too_large(self._path, exc.offset - self._base, self._options.max_row) from exc

    def _without_mark(self, chunk: bytes) -> bytes:
        if chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise not_utf8(self._path)
        if chunk.startswith(BOM):
            self._framer = self._new_framer(self._base + len(BOM))
            return chunk[len(BOM) :]
        return chunk

    def _load(self, rows: Rows) -> None:
        """Make rows the next ones to be given, after taking the header off them where one is due."""
        columns = self._options.columns
        if self._header_due and columns is not None and rows.values:
            header = columns.header(rows.values[0], self._path)
            self._remap = columns.remap(header, self._path)
            self._header_due = False
            if header is not None:
                del rows.values[0], rows.edges[0]
        self._rows, self._next = rows, 0

    def _last_row(self) -> bool:
        """Make the row without a line break that the file ended with the next one; False when there is none."""
        if not self._framer.pending:
            return False
        try:
            self._load(self._framer.finish())
        except RowTooLargeError as exc:
            raise too_large(self._path, exc.offset - self._base, self._options.max_row) from exc
        return True

    # from file to file

    def _locate(self) -> None:
        self._enter(locate(self._path, self._at, self._options.compression))

    def _enter(self, found: Located) -> None:
        options, stream = self._options, found.stream
        self._stream, self._base, self._head, self._tail = stream, found.base, found.head, b""
        self._framer = self._new_framer(found.base + stream.offset)
        self._rows, self._next = Rows([], [self._framer.end]), 0
        self._gone = self._replaced_at = self._remap = None
        self._waiting, self._poll_s = False, _POLL_S[0]
        self._header_due = options.columns is not None and not stream.offset
        if options.columns is not None and stream.offset:
            row = first_row(stream.path, options.compression, options.split, options.max_row) or b""
            self._remap = options.columns.remap(options.columns.header(row, stream.path), stream.path)

    def _new_framer(self, start: int) -> Framer:
        options = self._options
        return Framer(start, max_row=options.max_row, split=options.split, keep_blank=options.keep_blank)

    async def _end_of_file(self, stream: FileStream) -> None:
        """Go on after a file that will not grow: to the one that followed it, or to the end."""
        if self._last_row():
            return
        if stream.path == self._path:
            self._ended = True
            await self._drop()
        else:
            await self._leave(stream)

    async def _wait_for_more(self, stream: FileStream) -> None:
        clock = self._options.clock
        match await self._blocking(lambda: self._look(stream)):
            case _Seen.MORE:
                self._waiting = False
                self._poll_s = _POLL_S[0]
                return
            case _Seen.CUT:
                await self._start_over(stream)
                return
            case _Seen.REPLACED:
                self._replaced_at = clock.monotonic() if self._replaced_at is None else self._replaced_at
                if clock.monotonic() - self._replaced_at >= _QUIET_S:
                    if not self._last_row():
                        await self._leave(stream)
                    return
            case _Seen.SAME:
                self._replaced_at = None
        await self._pause()

    def _look(self, stream: FileStream) -> _Seen:
        open_file = stream.stat()
        if open_file.st_size != stream.offset:
            kept = stream.peek(stream.offset - len(self._tail), len(self._tail)) == self._tail
            return _Seen.MORE if open_file.st_size > stream.offset and kept else _Seen.CUT
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            return _Seen.REPLACED
        return _Seen.SAME if os.path.samestat(open_file, named) else _Seen.REPLACED

    async def _start_over(self, stream: FileStream) -> None:
        """Go on after the file was truncated: in the copy that was made of it, else at its new start."""
        if not await self._blocking(lambda: self._enter_copy(stream)) and not self._last_row():
            await self._drop()

    def _enter_copy(self, stream: FileStream) -> bool:
        if self._at is None or self._at.base != self._base:
            return False
        copy = locate_copy(self._path, self._at, self._options.compression)
        if copy is not None:
            stream.close()
            self._enter(copy)
        return copy is not None

    async def _leave(self, stream: FileStream) -> None:
        """Close a file that nothing more will come in; `_follow_up` opens the one that follows it."""
        self._gone = stream.stat()
        self._seen_inodes.add(self._gone.st_ino)
        await self._drop()

    async def _follow_up(self, gone: os.stat_result) -> None:
        if await self._blocking(lambda: self._enter_next(gone)):
            return
        if self._options.follow:
            await self._pause()
        else:
            self._ended = True

    async def _pause(self) -> None:
        await self._options.clock.sleep(self._poll_s)
        self._poll_s = min(2 * self._poll_s, _POLL_S[1])

    def _enter_next(self, gone: os.stat_result) -> bool:
        path = rotation.after(self._path, gone, self._seen_inodes)
        if path is None:
            return False
        stream = FileStream(path, self._options.compression)
        if path == self._path:
            self._seen_inodes.clear()
        elif stream.stat().st_ino in self._seen_inodes:  # renamed since it was looked for
            stream.close()
            return True
        self._enter(Located(stream, self._framer.end, b""))
        return True

    # threads

    async def _blocking(self, work: Callable[[], T]) -> T:
        """Run blocking work in a thread. If this is cancelled, `_advance` waits for its end before all else.

        Raises UnavailableError, FatalError or RetryableError for what is wrong with a file.
        """
        options = self._options
        if self._work is None:
            self._work = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            return cast("T", await asyncio.shield(self._work))
        except OSError as exc:
            raise cant_open(str(exc.filename or self._path), exc, waiting=options.follow) from exc
        except DamagedError as exc:
            raise corrupt(self._path, exc) from exc
        except TruncatedError as exc:
            raise cut_short(self._path, waiting=options.follow) from exc
        except RowTooLargeError as exc:
            raise too_large(self._path, exc.offset, options.max_row) from exc
        finally:
            if self._work.done():
                self._work = None

    async def _drop(self) -> None:
        """Close the file, after what threads do with it has ended."""
        for pending in (self._reading, self._work):
            if pending is not None:
                await asyncio.wait([pending])
                pending.exception()
        self._reading = self._work = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None
