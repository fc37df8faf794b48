"""How long things took, kept as counts by length, so that what many have counted can be added up."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from msgspec import Struct, field

BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From half a millisecond, which a disk may take, to a minute, which is longer than anybody should wait."""


class Timings(Struct):
    """`counts[i]` took at most `BOUNDS_S[i]` and longer than the bound before; the last one took longer than all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one more. Less than half a microsecond: for once a batch, not for once a record."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def add(self, other: Timings) -> None:
        """Count everything that another one has counted, too."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum_s += other.sum_s

    def copy(self) -> Timings:
        """Return what is counted up to now."""
        return Timings(self.counts.copy(), self.sum_s)

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)
