"""Where to resume: a place in the change stream, and until the snapshot is done what of it was handed out."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from bson import decode, encode
from bson.errors import BSONError

from wire.core.errors import FatalError
from wire.core.records import Position

_HIGH_WATER: Final = "82"  # how a token begins: a timestamp, eight bytes of seconds and counter


class ChunkState(msgspec.Struct, array_like=True):
    """A range of `_id` that is being read: from `lower` on, below `upper`, and of it what comes after `last`.

    All are keys as `key_of` makes them; None is the collection's beginning or end, and for `last` that nothing was
    handed out yet. `namespace` is `database.collection`.
    """

    namespace: str
    lower: bytes | None
    upper: bytes | None
    last: bytes | None = None


class SnapshotState(msgspec.Struct, array_like=True):
    """What of a snapshot is left: the chunks being read, and everything from `frontier` in `namespace` on.

    Collections are taken in the order of their names; without a `namespace` none was begun. `divided` says that nothing
    is left but the open chunks.
    """

    namespace: str | None = None
    frontier: bytes | None = None
    divided: bool = False
    chunks: list[ChunkState] = []


class MongoPosition(msgspec.Struct, array_like=True):
    """Go on with the stream behind `token`, after what is left of the snapshot, if anything is.

    `offset` is the cluster time of what was handed out last. `losses` counts how often in a row the history was lost
    without a change having been read in between.
    """

    token: bytes
    offset: int
    losses: int = 0
    snapshot: SnapshotState | None = None

    def encode(self) -> Position:
        """Return the position as the engine keeps it."""
        return Position(msgspec.msgpack.encode(self))

    @classmethod
    def decode(cls, position: Position) -> MongoPosition:
        """Read a position that `encode` made. Raises FatalError for any other."""
        try:
            return msgspec.msgpack.decode(position, type=cls)
        except msgspec.MsgspecError as exc:
            hint = "start over with --reset or in another --state-dir"
            raise FatalError("source.mongodb.position_invalid", hint=hint) from exc


def pack_token(token: Any) -> bytes:
    """Return a resume token as bytes; it is whatever BSON document the server chose."""
    return encode(token)


def unpack_token(token: bytes) -> dict[str, Any]:
    """Return the document that `pack_token` packed."""
    try:
        return decode(token)
    except BSONError as exc:
        raise FatalError("source.mongodb.position_invalid") from exc


def time_of(token: Any) -> int | None:
    """Return the cluster time a resume token stands for, None if it does not tell.

    https://github.com/mongodb/mongo/blob/master/src/mongo/db/pipeline/change_streams/README.md
    """
    data = token.get("_data") if isinstance(token, dict) else None
    if not isinstance(data, str) or not data.startswith(_HIGH_WATER) or len(data) < 18:
        return None
    return int(data[2:18], 16)
