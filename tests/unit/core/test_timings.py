"""What took how long, counted by length."""

from __future__ import annotations

import bisect

from hypothesis import given
from hypothesis import strategies as st

from wire.core.timings import BOUNDS_S, Timings


def counted(*seconds: float) -> Timings:
    timings = Timings()
    for each in seconds:
        timings.observe(each)
    return timings


def test_a_bound_belongs_to_what_is_below_it() -> None:
    timings = counted(0.0, 0.0005, 0.0006, 60.0, 60.1)
    assert (timings.counts[0], timings.counts[1], timings.counts[-2], timings.counts[-1]) == (2, 1, 1, 1)
    assert timings.count == 5
    assert timings.sum_s == 0.0 + 0.0005 + 0.0006 + 60.0 + 60.1


@given(st.lists(st.floats(0, 100)), st.lists(st.floats(0, 100)))
def test_what_two_have_counted_can_be_added_up(first: list[float], second: list[float]) -> None:
    total, one = counted(*first), counted(*second)
    copy = total.copy()
    total.add(one)
    assert total.counts == counted(*first, *second).counts
    assert abs(total.sum_s - sum(first) - sum(second)) < 1e-6
    assert copy.counts == counted(*first).counts
    for bound, count in zip(BOUNDS_S, total.counts, strict=False):
        at = bisect.bisect_left(BOUNDS_S, bound)
        assert count == sum(bisect.bisect_left(BOUNDS_S, each) == at for each in (*first, *second))
