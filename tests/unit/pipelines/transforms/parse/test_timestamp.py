from __future__ import annotations

import datetime as dt
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipelines.transforms.kit import codes, finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError
from wire.core.formats import CsvFormat

TEN = "2013-01-01T10:00:00Z"


def parsed(value: Any, *formats: str, timezone: str = "UTC") -> Any:
    config = {"type": "timestamp", "timezone": timezone, **({"formats": list(formats)} if formats else {})}
    (row,) = transformed([{"parse": {"expr": "m", "as": config}}], {"m": value})
    return row["m"]


@pytest.mark.parametrize(
    ("value", "formats", "moment"),
    [
        (TEN, [], TEN),
        ("2013-01-01 10:00:00", [], TEN),
        ("2013-01-01T12:00:00+02:00", [], TEN),
        ("20130101T100000Z", [], TEN),
        ("2013-W01-2T10", [], TEN),
        ("2013-01-01", [], "2013-01-01T00:00:00Z"),
        ("20130101", [], "2013-01-01T00:00:00Z"),
        ("2013-01-01T10:00:00.123456789Z", [], "2013-01-01T10:00:00.123456Z"),
        ("  2013-01-01T10:00:00Z\n", [], TEN),
        ("Tue, 01 Jan 2013 10:00:00 +0000", [], TEN),
        ("1 Jan 2013 05:00:00 EST", [], TEN),
        ("Tue, 01 Jan 2013 10:00:00 -0000", [], TEN),
        (1357034400, ["s"], TEN),
        ("1357034400", ["s"], TEN),
        (1357034400.5, ["s"], "2013-01-01T10:00:00.500000Z"),
        ("1357034400.000001", ["s"], "2013-01-01T10:00:00.000001Z"),
        (1357034400000, ["ms"], TEN),
        ("1357034400000000", ["us"], TEN),
        (1357034400000000999, ["ns"], TEN),
        ("-1", ["ms"], "1969-12-31T23:59:59.999000Z"),
        ("01/Jan/2013:12:00:00 +0200", ["%d/%b/%Y:%H:%M:%S %z"], TEN),
        ("1.1.2013 10h", ["%d.%m.%Y %Hh"], TEN),
        ("20130101", ["ms", "iso8601"], "1970-01-01T05:35:30.101000Z"),
        ("20130101", ["%Y%m%d", "ms"], "2013-01-01T00:00:00Z"),
        (20130101, ["%Y%m%d"], "2013-01-01T00:00:00Z"),
        (TEN, ["s", "rfc2822", "%Y", "iso8601"], TEN),
    ],
)
def test_times_are_read_as_they_are_written(value: Any, formats: list[str], moment: str) -> None:
    assert parsed(value, *formats) == moment


@pytest.mark.parametrize(
    ("value", "timezone", "moment"),
    [
        ("2013-01-01 10:00:00", "Europe/Berlin", "2013-01-01T09:00:00Z"),
        ("2013-07-01 10:00:00", "Europe/Berlin", "2013-07-01T08:00:00Z"),
        ("2013-07-01 10:00:00Z", "Europe/Berlin", "2013-07-01T10:00:00Z"),
        ("2013-01-01 10:00", "America/New_York", "2013-01-01T15:00:00Z"),
        ("Tue, 01 Jan 2013 10:00:00 -0000", "America/New_York", TEN),
    ],
)
def test_a_time_without_a_zone_is_in_the_one_given(value: str, timezone: str, moment: str) -> None:
    assert parsed(value, timezone=timezone) == moment


@pytest.mark.parametrize(
    ("value", "formats"),
    [
        ("", []),
        ("yesterday", []),
        ("2013-02-30", []),
        ("13111214100", []),  # digits alone are no date with a time
        (1357034400, []),
        ("1e9", ["s"]),
        ("9" * 20, ["s"]),
        ("9" * 30, ["s"]),
        ("9" * 31, ["ns"]),
        (float("1e300"), ["ms"]),
        ("2013", ["%d.%m.%Y"]),
        ("0001-01-01T00:00:00+14:00", []),
        ("x" * 1_000_000, []),
        ("Tue, 99 Foo 2013 10:00:00 +0000", []),
        ("\ufffd, \u0660 Jan 2013", []),
    ],
)
def test_what_is_no_time_fails_its_record(value: Any, formats: list[str]) -> None:
    config = {"type": "timestamp", **({"formats": formats} if formats else {})}
    result = run(stage({"parse": {"expr": "m", "as": config, "into": "t"}}), {"m": value})
    assert codes(result) == [(0, "transform.parse.invalid")]
    assert len(result.failures[0][1].message) < 300


def test_the_result_is_a_timestamp_for_what_follows() -> None:
    steps = [
        {"parse": {"expr": "a.at", "as": {"type": "timestamp", "formats": ["s"]}, "into": "at"}},
        {"timestamp": "at"},
        {"select": "at + INTERVAL 1 HOUR AS next, year(at) AS year, meta_timestamp() = at AS same"},
    ]
    assert transformed(steps, {"a": {"at": 1357034400}}) == [
        {"next": "2013-01-01T11:00:00Z", "year": 2013, "same": True}
    ]


def test_what_is_a_time_already_stays_and_what_is_not_there_too() -> None:
    source = CsvFormat(columns=["t", "d"], types={"t": "timestamp", "d": "date"})
    steps = [{"parse": {"expr": name, "as": "timestamp"}} for name in ("t", "d", "missing")]
    result = run(stage(*steps, source=source), b"2013-01-01 10:00:00,2013-01-01", b",")
    assert written(result) == [{"t": TEN, "d": "2013-01-01T00:00:00Z"}, {"t": None, "d": None}]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"formats": []}, ".formats"),
        ({"formats": ["iso8601", "iso"]}, ".formats[1]"),
        ({"formats": ["%d.%m."]}, ".formats[0]"),
        ({"formats": ["%Y %Q"]}, ".formats[0]"),
        ({"formats": ["%Y-%m-%d %Z"]}, ".formats[0]"),
        ({"formats": ["%Y %Y"]}, ".formats[0]"),
        ({"formats": ["%G %m"]}, ".formats[0]"),
        ({"formats": ["%Y %"]}, ".formats[0]"),
        ({"timezone": "Berlin"}, ".timezone"),
        ({"timezone": "../../etc/hostname"}, ".timezone"),
        ({"timezone": ""}, ".timezone"),
    ],
)
def test_mistakes_are_found_when_it_is_built(config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"parse": {"expr": "m", "as": {"type": "timestamp", **config}}})
    assert finding(caught.value) == ("config.invalid", f"$.transforms[0].parse.as{path}")
    assert caught.value.hint


MOMENTS = st.datetimes(dt.datetime(1000, 1, 2), dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))


def shown(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@given(MOMENTS, ZONES)
def test_a_moment_written_in_any_zone_is_the_same_moment(moment: dt.datetime, zone: dt.tzinfo) -> None:
    there = moment.astimezone(zone)
    assert parsed(there.isoformat()) == shown(moment)
    whole = moment.replace(microsecond=0)
    assert parsed(format_datetime(whole.astimezone(zone)), "rfc2822") == shown(whole)
    form = "%Y/%m/%d %H.%M.%S %f %z"
    assert parsed(there.strftime(form), form) == shown(moment)


@given(MOMENTS, st.sampled_from([("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]))
def test_numbers_count_their_unit_exactly(moment: dt.datetime, unit: tuple[str, int]) -> None:
    name, per_second = unit
    whole = moment if per_second >= 10**6 else moment.replace(microsecond=0)
    micros = (whole - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    count = micros * per_second // 10**6
    assert parsed(count, name) == parsed(str(count), name) == shown(whole)
