"""What is kept with the checkpoints, so that files can be cut back to exactly what these cover."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from wire.core.errors import FatalError
from wire.core.records import Checkpoint


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """A file that was not finished: its final name, and how many bytes of its part are committed."""

    final: str
    size: int


class Token(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """The state of the output at one commit.

    `number` is the one for the next file. `owned` is the single file that this pipeline adds to, None where files are
    numbered. `identity` and `epoch` are in the names of the parts.
    """

    epoch: int
    commit: int
    identity: str
    number: int
    owned: str | None
    entries: list[Entry]

    def encode(self) -> bytes:
        """Return the token as the engine keeps it."""
        return msgspec.msgpack.encode(self)


def newest(checkpoints: Iterable[Checkpoint]) -> Token | None:
    """Return the token of the last commit among checkpoints that were stored at different times, None before any."""
    try:
        tokens = [msgspec.msgpack.decode(c.sink, type=Token) for c in checkpoints if c.sink is not None]
    except msgspec.MsgspecError as exc:
        raise FatalError(
            "sink.file.token_invalid", hint="start over with --reset and a new `path`, or in another --state-dir"
        ) from exc
    return max(tokens, key=lambda token: (token.epoch, token.commit), default=None)
