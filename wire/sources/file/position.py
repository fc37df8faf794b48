"""Where to resume in a file, with enough of its content to tell that it is still the same file."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from wire.core.errors import FatalError
from wire.core.records import Position

HEAD: Final = 256
ROW: Final = 64


class FilePosition(msgspec.Struct, array_like=True, frozen=True):
    """Resume at `offset` bytes (decompressed) into a file.

    `base` is where the file begins in the count that goes on over rotations: a record's offset is `base` plus where it
    is in its file. `row` is where the last row before `offset` begins. `digest` is made of up to `HEAD` bytes from the
    file's start and up to `ROW` bytes of that row: a name, an inode or a size would not tell a file from the one that
    took its place.
    """

    base: int
    offset: int
    row: int
    row_size: int
    digest: bytes

    def encode(self) -> Position:
        """Return the position as the engine keeps it."""
        return Position(msgspec.msgpack.encode(self))

    @classmethod
    def decode(cls, position: Position) -> FilePosition:
        """Read a position that `encode` made. Raises FatalError for any other."""
        try:
            return msgspec.msgpack.decode(position, type=cls)
        except msgspec.MsgspecError as exc:
            raise FatalError(
                "source.file.position_invalid", hint="start over with --reset or in another --state-dir"
            ) from exc


def digest(head: bytes, row: bytes) -> bytes:
    """Condense what identifies a file. Only `HEAD` bytes of the one and `ROW` of the other count."""
    return hashlib.blake2b(head[:HEAD] + b"\0" + row[:ROW], digest_size=8).digest()
