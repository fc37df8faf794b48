"""The state machine of the simulation: a list that grows. A command is a value, its result where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

_CHUNK = 7


class Ledger:
    """Appends each command. That every value stands at one place makes histories easy to check."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    def apply(self, index: int, command: bytes) -> bytes:
        self.values.append(command)
        return str(len(self.values) - 1).encode()

    def snapshot(self) -> Iterator[bytes]:
        values = list(self.values)
        return (msgspec.msgpack.encode(values[n : n + _CHUNK]) for n in range(0, len(values), _CHUNK))

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.values = [value for chunk in chunks for value in msgspec.msgpack.decode(chunk, type=list[bytes])]
