"""Finds a batch size below the ceiling by itself, from what the sink's writes cost.

Hill climbing on throughput, leaning towards large batches: the target grows while full writes are not slower for it,
shrinks only while that makes them faster, and halves at once when the sink refuses. It never exceeds the ceiling.
"""

from __future__ import annotations

from typing import Final

_STEP: Final = 1.25
_WRITES_PER_STEP: Final = 8
_STEPS_BETWEEN_PROBES: Final = 16
_WORSE: Final = 0.95
_BETTER: Final = 1.05
_FULL: Final = 0.5


class BatchSizer:
    """The batch size aimed at, between 16 records (or the ceiling, if lower) and the ceiling."""

    def __init__(self, ceiling: int) -> None:
        """Start at the ceiling: most sinks are at their best there."""
        self._ceiling = ceiling
        self._floor = min(ceiling, 16)
        self._size = float(ceiling)
        self._growing = True
        self._previous_rate = 0.0
        self._resting = _STEPS_BETWEEN_PROBES
        self._clear()

    @property
    def target(self) -> int:
        """Records to aim at for the next write."""
        return int(self._size)

    def refused(self) -> None:
        """Learn that the sink could not take a write; halve."""
        self._size = max(self._size / 2, self._floor)
        self._growing, self._previous_rate, self._resting = True, 0.0, 0
        self._clear()

    def wrote(self, records: int, seconds: float) -> None:
        """Learn what a write cost. Writes below half the target say nothing about it and are passed over.

        Above that a write may be as full as it gets: whole batches are gathered, and the next one did not fit.
        """
        if records < self._size * _FULL or seconds <= 0:
            return
        self._records += records
        self._seconds += seconds
        self._writes += 1
        if self._writes >= _WRITES_PER_STEP:
            self._step(self._records / self._seconds)

    def _step(self, rate: float) -> None:
        self._clear()
        if self._size >= self._ceiling and self._resting:
            self._resting -= 1
            self._previous_rate = rate
            if not self._resting:
                self._move(growing=False)
            return
        if self._growing:
            self._move(growing=rate >= self._previous_rate * _WORSE)
        else:
            self._move(growing=rate <= self._previous_rate * _BETTER)
        self._previous_rate = rate

    def _move(self, *, growing: bool) -> None:
        self._growing = growing or self._size <= self._floor
        factor = _STEP if self._growing else 1 / _STEP
        self._size = min(max(self._size * factor, self._floor), self._ceiling)
        if self._size >= self._ceiling:
            self._resting = _STEPS_BETWEEN_PROBES

    def _clear(self) -> None:
        self._records, self._seconds, self._writes = 0, 0.0, 0
