"""Where to resume in a list of pages."""

from __future__ import annotations

import msgspec

from wire.core.errors import FatalError
from wire.core.records import Position


class HttpPosition(msgspec.Struct, array_like=True, frozen=True):
    """Resume behind the first `taken` records of a page; the next record's offset is `offset`.

    `page` is what the page is asked for by: a cursor, a URL, a number; empty for the first.
    """

    page: str = ""
    taken: int = 0
    offset: int = 0

    def encode(self) -> Position:
        """Return the position as the engine keeps it."""
        return Position(msgspec.msgpack.encode(self))

    @classmethod
    def decode(cls, position: Position) -> HttpPosition:
        """Read a position that `encode` made. Raises FatalError for any other."""
        try:
            return msgspec.msgpack.decode(position, type=cls)
        except msgspec.MsgspecError as exc:
            hint = "start over with --reset or in another --state-dir"
            raise FatalError("source.http.position_invalid", hint=hint) from exc
