"""Which configuration counts: the newest in the log, committed or not; and which one was right at an earlier entry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from wire.raft.types import Configuration, Entry

CONFIGURATION: Final = b"\x09"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Configuration).decode


def command_of(configuration: Configuration) -> bytes:
    """Return the command that stands for a configuration in the log."""
    return CONFIGURATION + _encode(configuration)


class Configurations:
    """Those in the log, oldest first, behind the one that is right at the base. Follows every change of the log."""

    def __init__(self, index: int, base: Configuration, entries: Iterable[Entry] = ()) -> None:
        """Begin with `base`, as of `index`, and what is in the `entries` behind it."""
        self._found = [(index, base)]
        for entry in entries:
            self.appended(entry)

    @property
    def newest(self) -> Configuration:
        """The one that counts."""
        return self._found[-1][1]

    @property
    def index(self) -> int:
        """The entry that holds the newest."""
        return self._found[-1][0]

    def at(self, index: int) -> Configuration:
        """Return the one as of an entry at or behind the base: never a newer one, which may not be committed."""
        for at, configuration in reversed(self._found):
            if at <= index:
                return configuration
        return self._found[0][1]

    def appended(self, entry: Entry) -> bool:
        """Learn of an entry; return whether it holds a configuration."""
        if entry.command[:1] != CONFIGURATION:
            return False
        self._found.append((entry.index, _decode(entry.command[1:])))
        return True

    def truncated(self, first: int) -> bool:
        """Learn that entries from `first` on are gone; return whether a configuration was among them."""
        before = len(self._found)
        self._found = [pair for pair in self._found if pair[0] < first or pair[0] == self._base]
        return len(self._found) < before

    def compacted(self, index: int) -> None:
        """Learn that entries up to `index` will not be asked about any more."""
        kept = [pair for pair in self._found if pair[0] > index]
        self._found = [(index, self.at(index)), *kept]

    @property
    def _base(self) -> int:
        return self._found[0][0]
