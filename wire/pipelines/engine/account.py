"""How much of what was read lately could not be processed."""

from __future__ import annotations

from collections import deque
from typing import Final

from wire.core.clock import Clock
from wire.core.units import Quota

_SLICES: Final = 60
_ENOUGH: Final = 100


class Account:
    """Counts records over a window that moves on, in sixtieths of its length."""

    def __init__(self, quota: Quota, clock: Clock) -> None:
        """Count for `quota`."""
        self.quota = quota
        self._clock = clock
        self._slice_s = quota.within.s / _SLICES
        self._slices: deque[list[int]] = deque()  # of each: its number, records read and rejected
        self._read = 0
        self._rejected = 0

    def read(self, records: int) -> None:
        """Count what was read."""
        self._now()[1] += records
        self._read += records

    def rejected(self, records: int) -> None:
        """Count what could not be processed."""
        self._now()[2] += records
        self._rejected += records

    @property
    def exceeded(self) -> bool:
        """Whether that is more than the quota. A share counts once there is enough for it to mean something.

        What is rejected may have been read long before, as after an outage.
        """
        self._now()
        if self.quota.number is not None:
            return self._rejected > self.quota.number
        everything = max(self._read, self._rejected)
        return everything >= _ENOUGH and self._rejected > everything * (self.quota.share or 0)

    def _now(self) -> list[int]:
        """Return the present slice; what is before the window is forgotten."""
        number = int(self._clock.monotonic() / self._slice_s)
        while self._slices and self._slices[0][0] <= number - _SLICES:
            _, read, rejected = self._slices.popleft()
            self._read -= read
            self._rejected -= rejected
        if not self._slices or self._slices[-1][0] != number:
            self._slices.append([number, 0, 0])
        return self._slices[-1]
