"""Counting at the destination: nothing missing, nothing twice, nothing foreign."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import jobs
from benchmarks.counter import Latencies, Tally
from benchmarks.generator import due


def test_everything_expected_once_leaves_nothing_missing() -> None:
    tally = Tally(100, filtered=True)
    for number in range(100):
        if number % 10 < jobs.KEPT_OF_TEN:
            tally.add(number)
    assert (tally.records, tally.missing, tally.repeated, tally.unexpected) == (90, 0, 0, 0)


def test_a_repeat_does_not_make_up_for_a_missing_record() -> None:
    tally = Tally(3, filtered=False)
    for number in (0, 1, 1):
        tally.add(number)
    assert (tally.missing, tally.repeated) == (1, 1)


def test_records_the_filter_should_have_dropped_or_nobody_sent_are_unexpected() -> None:
    tally = Tally(20, filtered=True)
    for number in (9, 20, -1):
        tally.add(number)
    assert (tally.unexpected, tally.missing) == (3, 18)


def test_latency_counts_from_the_stamp_and_leaves_the_warm_up_out() -> None:
    latencies = Latencies(warm_up=10)
    latencies.add(9, 0, 10**9)
    latencies.add(10, 1_000_000, 3_000_000)
    latencies.add(11, 1_000_000, 6_000_000)
    summary, worst = latencies.summary()
    assert summary is not None
    assert (summary.count, summary.p50, summary.max) == (2, 2.0, 5.0)
    assert worst == [5.0]


@given(st.integers(0, 10**6), st.integers(0, 10**15))
def test_every_record_is_180_bytes_of_json_whatever_its_number_and_time(number: int, ts_ns: int) -> None:
    raw = jobs.value(number, ts_ns)
    assert len(raw) == jobs.RECORD_BYTES
    stamp = msgspec.json.decode(raw, type=jobs.Stamp)
    assert (stamp.id - jobs.ID_BASE, stamp.ts - jobs.TS_BASE) == (number, ts_ns)


@given(st.integers(0, 500))
def test_the_expected_count_is_what_the_filter_keeps(count: int) -> None:
    flights = (msgspec.json.decode(jobs.value(number, 0), type=jobs.FlightIn) for number in range(count))
    assert sum(flight.dep_delay > 0 for flight in flights) == jobs.kept(count)


def test_what_is_due_follows_the_clock_not_the_acknowledgements() -> None:
    assert due(0, 0, 1000) == 1
    assert due(10**9, 0, 1000) == 1001
