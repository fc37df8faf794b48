"""What the members keep: keys and their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

KEYS: Final = 10_000
"""How many keys there are: the state stays small, as Wire's own does."""
_ROWS_PER_CHUNK: Final = 1000

_encode = msgspec.msgpack.Encoder().encode
_decode_put = msgspec.msgpack.Decoder(tuple[bytes, bytes]).decode
_decode_rows = msgspec.msgpack.Decoder(list[tuple[bytes, bytes]]).decode


def command(key: bytes, value: bytes) -> bytes:
    """Return the command that gives a key a value."""
    return _encode((key, value))


class Store:
    """A state machine for Wire."""

    def __init__(self) -> None:
        """Begin empty."""
        self._values: dict[bytes, bytes] = {}

    def apply(self, index: int, command: bytes) -> bytes:
        """Give a key a value."""
        key, value = _decode_put(command)
        self._values[key] = value
        return b""

    def snapshot(self) -> Iterator[bytes]:
        """Return what is here now, in chunks."""
        rows = iter(self._values.copy().items())
        while chunk := list(islice(rows, _ROWS_PER_CHUNK)):
            yield _encode(chunk)

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Take over what `snapshot` gave."""
        self._values = {key: value for chunk in chunks for key, value in _decode_rows(chunk)}
