"""Keeps what passes to a rate, in records and bytes a second."""

from __future__ import annotations

from wire.core.clock import Clock
from wire.core.turnstile import Turnstile
from wire.core.units import Rate


class Throttle:
    """Holds up whatever is more than its share of a rate; without a rate, nothing.

    It holds a second's worth: so much may pass at once after a pause, and no more should be asked to pass at once.
    """

    def __init__(self, rate: Rate | None, tasks: int, clock: Clock) -> None:
        """Let this one of so many tasks have its part of `rate`."""
        records = rate.records / tasks if rate and rate.records else None
        size = rate.bytes / tasks if rate and rate.bytes else None
        self._clock = clock
        self._records = None if records is None else Turnstile(records, records, clock)
        self._bytes = None if size is None else Turnstile(size, size, clock)
        self.max_records = None if records is None else max(1, int(records))
        self.max_bytes = None if size is None else max(1, int(size))

    def __bool__(self) -> bool:
        """Whether there is a limit at all."""
        return self._records is not None or self._bytes is not None

    async def wait(self, records: int, size: int) -> float:
        """Return when so much may pass, and how many seconds that took. One who is cancelled leaves its turn unused."""
        wait_s = self._records.reserve(records) if self._records else 0.0
        if self._bytes:
            wait_s = max(wait_s, self._bytes.reserve(size))
        if wait_s:
            await self._clock.sleep(wait_s)
        return wait_s
