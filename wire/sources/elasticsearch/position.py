"""Where to resume in a shard."""

from __future__ import annotations

import msgspec

from wire.core.errors import FatalError
from wire.core.records import Position


class ShardPosition(msgspec.Struct, array_like=True, frozen=True):
    """Resume behind the change number `seq_no` of a shard of the index that has this `uuid`.

    An index that is deleted and created anew has the same name and counts from 0, but has another `uuid`.
    """

    uuid: str
    seq_no: int

    def encode(self) -> Position:
        """Return the position as the engine keeps it."""
        return Position(msgspec.msgpack.encode(self))

    @classmethod
    def decode(cls, position: Position) -> ShardPosition:
        """Read a position that `encode` made. Raises FatalError for any other."""
        try:
            return msgspec.msgpack.decode(position, type=cls)
        except msgspec.MsgspecError as exc:
            hint = "start over with --reset or in another --state-dir"
            raise FatalError("source.elasticsearch.position_invalid", hint=hint) from exc
