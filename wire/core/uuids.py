"""UUIDv7 (RFC 9562, section 5.7): ids that sort by the time they were made."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from wire.core.clock import Clock


class Uuids:
    """Makes ids, each greater than the one before, also where the clock steps back.

    Of the random bits the first twelve count the ids of one millisecond.
    """

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        """Take the time from `clock`, and everything else from `random_bytes`, such as `os.urandom`."""
        self._clock = clock
        self._random_bytes = random_bytes
        self._last = 0

    def next(self) -> uuid.UUID:
        """Return a new one."""
        stamp = self._clock.now_ms() << 12
        self._last = stamp = max(stamp, self._last + 1)
        ms, count = stamp >> 12, stamp & 0xFFF
        tail = int.from_bytes(self._random_bytes(8)) & ((1 << 62) - 1)
        return uuid.UUID(int=ms << 80 | 0x7 << 76 | count << 64 | 0b10 << 62 | tail)
