"""Finds the file that a position belongs to, under whatever name it has by now. All functions block."""

from __future__ import annotations

import contextlib

import structlog
from msgspec import Struct

from wire.clients.compression import DamagedError, TruncatedError
from wire.clients.framing import Framer, Split
from wire.sources.file import rotation
from wire.sources.file.names import name_of
from wire.sources.file.position import FilePosition
from wire.sources.file.stream import Compression, FileStream

log = structlog.get_logger()

BOM = b"\xef\xbb\xbf"


class Located(Struct):
    """An open file where reading goes on: at its start, or at a position, when `head` holds the file's first bytes."""

    stream: FileStream
    base: int
    head: bytes


def locate(path: str, at: FilePosition | None, compression: Compression) -> Located:
    """Open the file at `path`, or what rotation made of it since `at` was taken, where reading goes on.

    If neither is the file that `at` belongs to, begin with `path` anew. Raises OSError, DamagedError, TruncatedError.
    """
    if at is None:
        return Located(FileStream(path, compression), 0, b"")
    with contextlib.suppress(FileNotFoundError):
        if found := _open_at(path, at, compression):
            return found
    if found := locate_copy(path, at, compression):
        return found
    stream = FileStream(path, compression)
    log.warning("file_replaced", path=name_of(path), read_before=at.offset)
    return Located(stream, at.base + at.offset, b"")


def locate_copy(path: str, at: FilePosition, compression: Compression) -> Located | None:
    """Open what rotation made of the file that `at` belongs to, if it is still there."""
    for sibling in reversed(rotation.siblings(path)):
        with contextlib.suppress(OSError, DamagedError, TruncatedError):
            if found := _open_at(sibling.path, at, compression):
                return found
    return None


def _open_at(path: str, at: FilePosition, compression: Compression) -> Located | None:
    stream = FileStream(path, compression)
    try:
        head = stream.go_to(at)
    except BaseException:
        stream.close()
        raise
    if head is None:
        stream.close()
        return None
    return Located(stream, at.base, head)


def first_row(path: str, compression: Compression, split: Split, max_row: int) -> bytes | None:
    """Return a file's first row that isn't blank, without a byte order mark; None if there is none.

    Raises OSError, DamagedError, TruncatedError, RowTooLargeError.
    """
    stream = FileStream(path, compression)
    framer = Framer(0, max_row=max_row, split=split)
    try:
        while chunk := stream.read(1 << 16):
            if rows := framer.feed(chunk).values:
                return rows[0].removeprefix(BOM)
        rows = framer.finish().values
        return rows[0].removeprefix(BOM) if rows else None
    finally:
        stream.close()
