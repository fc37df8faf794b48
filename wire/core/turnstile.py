"""Who may pass when, if only so many may pass a second (the generic cell rate algorithm)."""

from __future__ import annotations

from wire.core.clock import Clock


class Turnstile:
    """Says when whose turn is. Any number of tasks may wait; they pass in the order in which they came."""

    def __init__(self, rate: float, burst: float, clock: Clock) -> None:
        """Let `rate` a second pass, and `burst` at once after a pause."""
        self._each_s = 1 / rate
        self._burst_s = burst / rate
        self._clock = clock
        self._free_at = clock.monotonic() - self._burst_s  # when all that passed so far would have, evenly spread

    def reserve(self, count: int) -> float:
        """Take a turn for so many, and return the seconds until it comes."""
        now = self._clock.monotonic()
        start = max(self._free_at, now - self._burst_s)
        self._free_at = start + count * self._each_s
        return max(0.0, self._free_at - now)

    async def wait(self, count: int) -> None:
        """Return when so many may pass. One who is cancelled leaves its turn unused."""
        if wait_s := self.reserve(count):
            await self._clock.sleep(wait_s)
