"""The arithmetic behind the published figures."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.arithmetic import Sample, latency, percentile, ratios, spread, window


@given(st.lists(st.integers(0, 1000), min_size=1), st.floats(0.001, 1))
def test_a_percentile_is_the_least_value_that_enough_others_do_not_exceed(values: list[int], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    needed = math.ceil(share * len(ordered))
    assert sum(value <= found for value in ordered) >= needed
    assert sum(value < found for value in ordered) < needed


def test_latency_reports_milliseconds_of_the_slowest_records() -> None:
    found = latency([number * 1_000_000 for number in range(1, 1001)])
    assert (found.count, found.p50, found.p99, found.p999, found.max) == (1000, 500, 990, 999, 1000)


def test_percentiles_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@pytest.mark.parametrize(("values", "median"), [([3.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 2.0, 3.0], 2.5), ([7.0], 7.0)])
def test_spread_is_the_median_between_least_and_greatest(values: list[float], median: float) -> None:
    found = spread(values)
    assert (found.median, found.low, found.high) == (median, min(values), max(values))


def test_the_window_leaves_the_warm_up_out_and_ends_with_the_last_record() -> None:
    samples = [Sample(at, count, at / 10) for at, count in enumerate([0, 0, 50, 120, 700, 1000, 1000])]
    first, last = window(samples, 1000)
    assert (first.t_ns, first.count) == (3, 120)
    assert (last.t_ns, last.count) == (5, 1000)


def test_a_run_that_did_not_finish_has_no_window() -> None:
    with pytest.raises(ValueError, match="1000 records"):
        window([Sample(0, 0, 0), Sample(1, 999, 0)], 1000)


def test_ratios_pair_each_run_with_the_one_beside_it() -> None:
    assert ratios([2, 9, 1], [1, 3]) == [2, 3]
