"""Date and time functions. Text where a TIMESTAMP is wanted is read as ISO 8601 and converted to UTC."""

# ruff: noqa: E501 (the table has one row per function)

from __future__ import annotations

import calendar
import datetime as dt
import math
from collections.abc import Callable
from typing import Any, Final

from wire.pipelines.expressions.arithmetic import shift
from wire.pipelines.expressions.errors import cast_failed, did_you_mean, domain, overflow
from wire.pipelines.expressions.functions.declare import double, integer, midnight, moment, text
from wire.pipelines.expressions.functions.formats import (
    DAYS,
    MONTHS,
    check_format,
    check_reading,
    strftime,
    strptime,
    try_strptime,
)
from wire.pipelines.expressions.moments import UNITS, instant, interval_of, micros_since_epoch, unit_name
from wire.pipelines.expressions.tree import Arg, Function
from wire.pipelines.expressions.values import EPOCH, MICROS_PER_DAY, Interval, Kind

_Part = Callable[[dt.datetime], Any]
_moment: Final = dt.datetime
_MICRO: Final = dt.timedelta(microseconds=1)
_WEEK_ORIGIN: Final = dt.datetime(2000, 1, 3)

PARTS: Final[dict[str, _Part]] = {
    "year": lambda t: t.year,
    "month": lambda t: t.month,
    "day": lambda t: t.day,
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
    "second": lambda t: t.second,
    "millisecond": lambda t: t.second * 1000 + t.microsecond // 1000,
    "microsecond": lambda t: t.second * 1_000_000 + t.microsecond,
    "quarter": lambda t: (t.month + 2) // 3,
    "week": lambda t: t.isocalendar().week,
    "isoyear": lambda t: t.isocalendar().year,
    "yearweek": lambda t: t.isocalendar().year * 100 + t.isocalendar().week,
    "dow": lambda t: t.isoweekday() % 7,
    "isodow": lambda t: t.isoweekday(),
    "doy": lambda t: t.timetuple().tm_yday,
    "decade": lambda t: t.year // 10,
    "century": lambda t: (t.year - 1) // 100 + 1,
    "millennium": lambda t: (t.year - 1) // 1000 + 1,
    "epoch": lambda t: micros_since_epoch(t) / 1e6,
}
_PART_NAMES: Final = {"dayofweek": "dow", "weekday": "dow", "dayofyear": "doy", "weekofyear": "week"}


def part_name(name: str) -> str:
    """Return the part a word names; fails with expression.domain if it names none."""
    word = name.lower()
    word = _PART_NAMES.get(word) or (word if word in PARTS else unit_name(word) or word)
    if word not in PARTS:
        hint = did_you_mean(name, PARTS)
        raise domain(f"{name!r} is no part of a date or time" + (f"; {hint}" if hint else ""))
    return word


def date_part(name: str, value: dt.datetime) -> Any:
    """Return one part of a timestamp."""
    return (PARTS.get(name) or PARTS[part_name(name)])(value)


def _unit(name: str) -> str:
    unit = unit_name(name)
    if unit is None:
        raise domain(f"{name!r} is no unit of time")
    return unit


_TRUNCATE: Final[dict[str, Callable[[dt.datetime], dt.datetime]]] = {
    "microsecond": lambda t: t,
    "millisecond": lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000),
    "second": lambda t: _moment(t.year, t.month, t.day, t.hour, t.minute, t.second),
    "minute": lambda t: _moment(t.year, t.month, t.day, t.hour, t.minute),
    "hour": lambda t: _moment(t.year, t.month, t.day, t.hour),
    "day": midnight,
    "week": lambda t: midnight(t) - dt.timedelta(days=t.weekday()),
    "month": lambda t: midnight(t.replace(day=1)),
    "quarter": lambda t: midnight(t.replace(month=(t.month - 1) // 3 * 3 + 1, day=1)),
    "year": lambda t: midnight(t.replace(month=1, day=1)),
    "decade": lambda t: _year(t.year // 10 * 10),
    "century": lambda t: _year(t.year // 100 * 100),
    "millennium": lambda t: _year(t.year // 1000 * 1000),
}


def _year(year: int) -> dt.datetime:
    return dt.datetime(year, 1, 1)


def date_trunc(unit: str, value: dt.datetime) -> dt.datetime:
    """Return the start of the unit the timestamp is in."""
    try:
        return (_TRUNCATE.get(unit) or _TRUNCATE[_unit(unit)])(value)
    except (ValueError, OverflowError):
        raise overflow("the TIMESTAMP") from None


def date_diff(unit: str, start: dt.datetime, end: dt.datetime) -> int:
    """Return how many boundaries of the unit lie between; for weeks how many times seven days."""
    name = _unit(unit)
    months, days, micros = UNITS[name]
    if name == "week":
        return math.trunc((midnight(end) - midnight(start)).days / 7)
    if months:
        return (end.year * 12 + end.month - 1) // months - (start.year * 12 + start.month - 1) // months
    if days:
        return (midnight(end) - midnight(start)).days
    return micros_since_epoch(end) // micros - micros_since_epoch(start) // micros


def date_sub(unit: str, start: dt.datetime, end: dt.datetime) -> int:
    """Return how many whole units fit between; negative if `end` is before `start`."""
    if end < start:
        return -date_sub(unit, end, start)
    months, days, micros = UNITS[_unit(unit)]
    if months:
        whole = (end.year - start.year) * 12 + end.month - start.month
        return (whole - (shift(start, Interval(months=whole)) > end)) // months
    return (end - start) // _MICRO // (days * MICROS_PER_DAY or micros)


def time_bucket(width: Interval, value: dt.datetime) -> dt.datetime:
    """Return the start of the bucket of this width a timestamp falls into."""
    if width.months:
        if width.days or width.micros or width.months < 0:
            raise domain("a bucket is made of months, or of days and times, and longer than zero")
        month = (value.year - 2000) * 12 + value.month - 1
        return shift(_moment(2000, 1, 1), Interval(months=month // width.months * width.months))
    micros = width.days * MICROS_PER_DAY + width.micros
    if micros <= 0:
        raise domain("a bucket is longer than zero")
    since = (value - _WEEK_ORIGIN) // _MICRO
    try:
        return _WEEK_ORIGIN + since // micros * micros * _MICRO
    except OverflowError:
        raise overflow("the TIMESTAMP") from None


def from_micros(micros: int) -> dt.datetime:
    """Return the timestamp this many microseconds after 1970."""
    try:
        return EPOCH + dt.timedelta(microseconds=micros)
    except OverflowError:
        raise overflow("the TIMESTAMP") from None


def epoch_ms(value: Any) -> Any:
    """Return milliseconds since 1970 of a timestamp, or the timestamp of milliseconds."""
    return from_micros(value * 1000) if value.__class__ is int else (micros_since_epoch(value) + 500) // 1000


def epoch(value: Any) -> float:
    """Return seconds since 1970, or in an interval (a month has 30 days)."""
    if isinstance(value, Interval):
        return ((value.months * 30 + value.days) * MICROS_PER_DAY + value.micros) / 1e6
    return micros_since_epoch(value) / 1e6


def to_timestamp(seconds: float) -> dt.datetime:
    """Return the timestamp this many seconds after 1970."""
    if seconds - seconds != 0 or abs(seconds) > 1e12:
        raise overflow("the TIMESTAMP")
    return from_micros(round(seconds * 1e6))


def _seconds(second: float) -> tuple[int, int]:
    if not 0 <= second < 60:
        raise cast_failed(second, "a second from 0 to 60")
    whole = int(second)
    return whole, min(round((second - whole) * 1e6), 999_999)


def make_timestamp(*parts: Any) -> dt.datetime:
    """Make a timestamp of microseconds since 1970, or of year, month, day, hour, minute and second."""
    if len(parts) == 1:
        return from_micros(parts[0])
    if len(parts) != 6:
        raise domain("make_timestamp takes one argument or six")
    try:
        return dt.datetime(*parts[:5], *_seconds(parts[5]))
    except (ValueError, OverflowError):
        raise cast_failed(parts, "TIMESTAMP") from None


def make_date(year: int, month: int, day: int) -> dt.date:
    """Make a date."""
    try:
        return dt.date(year, month, day)
    except (ValueError, OverflowError):
        raise cast_failed((year, month, day), "DATE") from None


def make_time(hour: int, minute: int, second: float) -> dt.time:
    """Make a time of day."""
    try:
        return dt.time(hour, minute, *_seconds(second))
    except (ValueError, OverflowError):
        raise cast_failed((hour, minute, second), "TIME") from None


def last_day(value: dt.datetime) -> dt.date:
    """Return the last day of the month."""
    return dt.date(value.year, value.month, calendar.monthrange(value.year, value.month)[1])


_M: Final = moment("x")
_UNIT: Final = {0: _unit}
_TEXT_OR_DATE: Final[dict[type, Callable[[Any], Any]]] = {dt.date: midnight, str: instant}
_T: Final = Kind.TIMESTAMP


def _part(name: str, doc: str, example: str, *aliases: str, part: str = "") -> Function:
    shown = (f"{name}(TIMESTAMP '2013-01-02 03:04:05')", example)
    impl = PARTS[part or name]
    return Function(name=name, args=(_M,), impl=impl, returns=Kind.INT, doc=doc, aliases=aliases, example=shown)


def _span(unit: str) -> Function:
    shown = (f"CAST(to_{unit}s(2) AS VARCHAR)", f"CAST(INTERVAL 2 {unit} AS VARCHAR)")
    doc = f"An interval of this many {unit}s."
    name = {"century": "to_centuries", "millennium": "to_millennia"}.get(unit, f"to_{unit}s")
    amount = double("x") if UNITS[unit][2] in (1000, 1_000_000) else integer("x")
    return Function(
        name=name, args=(amount,), impl=lambda x: interval_of(x, unit), returns=Kind.INTERVAL, doc=doc, example=shown
    )


FUNCTIONS: Final = (
    Function(name="strftime", args=(_M, text("format")), impl=strftime, returns=Kind.TEXT, checks={1: check_format}, doc="Write by a format, such as `%Y-%m-%d`.", example=("strftime(DATE '2013-01-02', '%d.%m.%Y')", "'02.01.2013'")),
    Function(name="strptime", args=(text("string"), text("format")), impl=strptime, returns=_T, checks={1: check_reading}, doc="Read by a format.", example=("strptime('02.01.2013', '%d.%m.%Y')", "TIMESTAMP '2013-01-02'")),
    Function(name="try_strptime", args=(text("string"), text("format")), impl=try_strptime, returns=_T | Kind.NULL, checks={1: check_reading}, doc="Read by a format, NULL where it does not fit.", example=("try_strptime('x', '%Y')", "NULL")),
    Function(name="date_trunc", args=(text("unit"), _M), impl=date_trunc, returns=_T, checks=_UNIT, aliases=("datetrunc",), doc="Start of the `'hour'`, `'day'`, `'week'`, `'month'`… a moment is in.", example=("date_trunc('month', DATE '2013-01-02')", "TIMESTAMP '2013-01-01'")),
    Function(name="date_part", args=(text("part"), _M), impl=date_part, returns=Kind.INT | Kind.FLOAT, checks={0: part_name}, aliases=("datepart",), doc="One part of a moment. Also `EXTRACT(year FROM x)`.", example=("date_part('year', DATE '2013-01-02')", "2013")),
    Function(name="date_diff", args=(text("unit"), moment("start"), moment("end")), impl=date_diff, returns=Kind.INT, checks=_UNIT, aliases=("datediff",), doc="Number of unit boundaries between two moments (weeks: of whole seven days).", example=("date_diff('month', DATE '2013-01-31', DATE '2013-02-01')", "1")),
    Function(name="date_sub", args=(text("unit"), moment("start"), moment("end")), impl=date_sub, returns=Kind.INT, checks=_UNIT, aliases=("datesub",), doc="Number of whole units between two moments.", example=("date_sub('month', DATE '2013-01-31', DATE '2013-02-01')", "0")),
    Function(name="date_add", args=(_M, Arg("interval", Kind.INTERVAL)), impl=shift, returns=_T, doc="Same as `x + interval`.", example=("date_add(DATE '2013-01-02', INTERVAL 1 day)", "TIMESTAMP '2013-01-03'")),
    Function(name="time_bucket", args=(Arg("width", Kind.INTERVAL), _M), impl=time_bucket, returns=_T, doc="Start of the bucket of a width a moment falls into.", example=("time_bucket(INTERVAL 5 minutes, TIMESTAMP '2013-01-02 03:04:05')", "TIMESTAMP '2013-01-02 03:00:00'")),
    _part("year", "Year.", "2013"),
    _part("quarter", "Quarter, 1 to 4.", "1"),
    _part("month", "Month, 1 to 12.", "1"),
    _part("week", "ISO week, 1 to 53.", "1", "weekofyear"),
    _part("yearweek", "ISO year and week as one number.", "201301"),
    _part("isoyear", "Year of the ISO week.", "2013"),
    _part("day", "Day of the month.", "2", "dayofmonth"),
    _part("dayofweek", "Day of the week, Sunday is 0.", "3", "weekday", part="dow"),
    _part("isodow", "Day of the week, Monday is 1 and Sunday 7.", "3"),
    _part("dayofyear", "Day of the year.", "2", part="doy"),
    _part("hour", "Hour.", "3"),
    _part("minute", "Minute.", "4"),
    _part("second", "Second.", "5"),
    _part("millisecond", "Seconds in milliseconds.", "5000"),
    _part("microsecond", "Seconds in microseconds.", "5000000"),
    Function(name="dayname", args=(_M,), impl=lambda t: DAYS[t.weekday()], returns=Kind.TEXT, doc="Name of the day.", example=("dayname(DATE '2013-01-02')", "'Wednesday'")),
    Function(name="monthname", args=(_M,), impl=lambda t: MONTHS[t.month - 1], returns=Kind.TEXT, doc="Name of the month.", example=("monthname(DATE '2013-01-02')", "'January'")),
    Function(name="last_day", args=(_M,), impl=last_day, returns=Kind.DATE, doc="Last day of the month.", example=("last_day(DATE '2013-02-03')", "DATE '2013-02-28'")),
    Function(name="epoch", args=(Arg("x", _T | Kind.INTERVAL, _TEXT_OR_DATE, Kind.TEXT | Kind.DATE),), impl=epoch, returns=Kind.FLOAT, doc="Seconds since 1970, or in an interval.", example=("epoch(TIMESTAMP '1970-01-02')", "86400.0")),
    Function(name="epoch_ms", args=(Arg("x", _T | Kind.INT, _TEXT_OR_DATE, Kind.TEXT | Kind.DATE),), impl=epoch_ms, returns=Kind.INT | _T, doc="Milliseconds since 1970; given a number, the moment it stands for.", example=("epoch_ms(1357009200000)", "TIMESTAMP '2013-01-01 03:00:00'")),
    Function(name="epoch_us", args=(_M,), impl=micros_since_epoch, returns=Kind.INT, doc="Microseconds since 1970.", example=("epoch_us(TIMESTAMP '1970-01-01 00:00:01')", "1000000")),
    Function(name="epoch_ns", args=(_M,), impl=lambda t: micros_since_epoch(t) * 1000, returns=Kind.INT, doc="Nanoseconds since 1970.", example=("epoch_ns(TIMESTAMP '1970-01-01 00:00:01')", "1000000000")),
    Function(name="to_timestamp", args=(double("seconds"),), impl=to_timestamp, returns=_T, doc="The moment this many seconds after 1970.", example=("to_timestamp(86400)", "TIMESTAMP '1970-01-02'")),
    Function(name="make_timestamp", args=(integer("year_or_micros"), *map(integer, ("month", "day", "hour", "minute")), double("second")), required=1, impl=make_timestamp, returns=_T, doc="A moment from its parts, or from microseconds since 1970.", example=("make_timestamp(2013, 1, 2, 3, 4, 5)", "TIMESTAMP '2013-01-02 03:04:05'")),
    Function(name="make_date", args=(integer("year"), integer("month"), integer("day")), impl=make_date, returns=Kind.DATE, doc="A date from its parts.", example=("make_date(2013, 1, 2)", "DATE '2013-01-02'")),
    Function(name="make_time", args=(integer("hour"), integer("minute"), double("second")), impl=make_time, returns=Kind.TIME, doc="A time of day from its parts.", example=("make_time(3, 4, 5)", "TIME '03:04:05'")),
    *(_span(unit) for unit in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond")),
)  # fmt: skip

INTERVAL_OF: Final = Function(
    name="INTERVAL", args=(double("amount"), text("unit")), impl=interval_of, returns=Kind.INTERVAL
)
