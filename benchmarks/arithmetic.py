"""The harness's own arithmetic: percentiles, spread, rates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec


class Latency(msgspec.Struct, frozen=True):
    """Percentiles of one run, in milliseconds, over `count` records."""

    count: int
    p50: float
    p99: float
    p999: float
    max: float


class Spread(msgspec.Struct, frozen=True):
    """One figure over several runs: the median, and the least and greatest seen."""

    median: float
    low: float
    high: float


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """At `t_ns` (monotonic) there were `count` records, and the process tree had used `cpu_s` in all."""

    t_ns: int
    count: int
    cpu_s: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ascending values that at least `share` of them do not exceed (nearest rank)."""
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latency(values_ns: Sequence[int]) -> Latency:
    """Summarize latencies given in nanoseconds."""
    ordered = sorted(values_ns)
    p50, p99, p999 = (round(percentile(ordered, share) / 1e6, 3) for share in (0.5, 0.99, 0.999))
    return Latency(len(ordered), p50, p99, p999, round(ordered[-1] / 1e6, 3))


def spread(values: Sequence[float]) -> Spread:
    """Return the median of the values with the least and the greatest."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Spread(median, ordered[0], ordered[-1])


def window(samples: Sequence[Sample], total: int, *, skip: float = 0.1) -> tuple[Sample, Sample]:
    """Return the samples between which a run is measured: the first `skip` of the records is warm-up.

    The end is the first sample that has all `total` records. Raises ValueError when none has.
    """
    first = next((sample for sample in samples if sample.count >= skip * total), None)
    last = next((sample for sample in samples if sample.count >= total), None)
    if first is None or last is None or first is last:
        raise ValueError(f"the samples do not show {total} records arriving")
    return first, last


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return each of ours over the one of theirs that ran beside it."""
    return [a / b for a, b in zip(ours, theirs, strict=False)]
