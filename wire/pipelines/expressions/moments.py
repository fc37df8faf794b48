"""Dates, times, timestamps and intervals from text and to text, as DuckDB reads and writes them.

TIMESTAMP is naive and means UTC. `CAST(text AS TIMESTAMP)` ignores an offset in the text, as DuckDB does;
`CAST(text AS TIMESTAMPTZ)`, and text where a function wants a TIMESTAMP, converts by the offset.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from wire.pipelines.expressions.errors import cast_failed, overflow
from wire.pipelines.expressions.values import EPOCH, MICROS_PER_DAY, Interval

_DATE: Final = r"(\d{1,4})([-/ ])(\d{1,2})\2(\d{1,2})"
_TIME: Final = r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?"
_OFFSET: Final = r"(?: ?(Z|UTC|[+-]\d{2}(?::?\d{2}(?::\d{2})?)?))?"
_TIMESTAMP_RE: Final = re.compile(rf"\s*{_DATE}(?:(?:T|\s+){_TIME}{_OFFSET})?\s*", re.ASCII)
_TIME_RE: Final = re.compile(rf"\s*{_TIME}{_OFFSET}\s*", re.ASCII)
_PART_RE: Final = re.compile(
    r"\s*(-?)(?:(\d{1,18}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?|(\d+(?:\.\d+)?)\s*([a-z]*))", re.ASCII
)
_MAX_MONTHS: Final = 2**31 - 1
_MAX_DAYS: Final = 2**31 - 1
_MAX_MICROS: Final = 2**63 - 1

# unit → (months, days, microseconds) of one
UNITS: Final[dict[str, tuple[int, int, int]]] = {
    "microsecond": (0, 0, 1),
    "millisecond": (0, 0, 1000),
    "second": (0, 0, 1_000_000),
    "minute": (0, 0, 60_000_000),
    "hour": (0, 0, 3_600_000_000),
    "day": (0, 1, 0),
    "week": (0, 7, 0),
    "month": (1, 0, 0),
    "quarter": (3, 0, 0),
    "year": (12, 0, 0),
    "decade": (120, 0, 0),
    "century": (1200, 0, 0),
    "millennium": (12000, 0, 0),
}
_SHORT: Final[dict[str, str]] = {
    **dict.fromkeys(("us", "usec", "usecs", "usecond", "useconds"), "microsecond"),
    **dict.fromkeys(("ms", "msec", "msecs", "msecond", "mseconds"), "millisecond"),
    **dict.fromkeys(("s", "sec", "secs"), "second"),
    **dict.fromkeys(("m", "min", "mins"), "minute"),
    **dict.fromkeys(("h", "hr", "hrs"), "hour"),
    "d": "day",
    "w": "week",
    **dict.fromkeys(("mon", "mons"), "month"),
    **dict.fromkeys(("y", "yr", "yrs"), "year"),
    **dict.fromkeys(("dec", "decs"), "decade"),
    **dict.fromkeys(("c", "cent", "centuries"), "century"),
    **dict.fromkeys(("mil", "mils", "millennia", "millenia"), "millennium"),
}


def unit_name(text: str) -> str | None:
    """Return the unit a word names (`days`, `min`), None if it names none."""
    word = text.lower()
    word = _SHORT.get(word, word)
    return word if word in UNITS else word[:-1] if word.endswith("s") and word[:-1] in UNITS else None


def instant(text: str) -> dt.datetime:
    """Read ISO 8601 text as a moment in UTC, converting by its offset if it has one. Fails with expression.cast."""
    moment, offset = _read(text)
    try:
        return moment - offset if offset else moment
    except OverflowError:
        raise cast_failed(text, "TIMESTAMP") from None


def timestamp(text: str) -> dt.datetime:
    """Read text as CAST does: the wall time as written, whatever its offset. Fails with expression.cast."""
    return _read(text)[0]


def date(text: str) -> dt.date:
    """Read the date of a date or timestamp. Fails with expression.cast."""
    return _read(text, "DATE")[0].date()


def _read(text: str, target: str = "TIMESTAMP") -> tuple[dt.datetime, dt.timedelta | None]:
    usual = _usual(text)
    if usual is not None:
        return usual, None
    match = _TIMESTAMP_RE.fullmatch(text)
    if match is None:
        raise cast_failed(text, target)
    year, _, month, day, *clock, zone = match.groups()
    try:
        moment = dt.datetime(int(year), int(month), int(day))
        return moment + dt.timedelta(microseconds=_clock(clock) if clock[0] else 0), _offset(zone)
    except (ValueError, OverflowError):
        raise cast_failed(text, target) from None


def _usual(text: str) -> dt.datetime | None:
    """Read the usual shapes, an order of magnitude faster than the pattern does; None for any other."""
    body = text[:-1] if text[-1:] == "Z" else text
    size = len(body)
    if size not in (19, 23, 26) or not body[4] == body[7] == "-" or not body[13] == body[16] == ":":
        return None
    if body[10] not in "T " or (size > 19 and body[19] != "."):
        return None
    try:
        moment = dt.datetime.fromisoformat(body)
    except ValueError:
        return None
    return None if moment.tzinfo else moment  # `.123+01` is as long as `.123456`


def _clock(parts: list[str | None]) -> int:
    """Return the microseconds since midnight; ValueError if it is no time of day."""
    hour, minute, second = (int(part or 0) for part in parts[:3])
    micros = int((parts[3] or "")[:6].ljust(6, "0"))
    total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros
    if minute > 59 or second > 59 or total > MICROS_PER_DAY:
        raise ValueError
    return total


def _offset(zone: str | None) -> dt.timedelta | None:
    if not zone or zone in ("Z", "UTC"):
        return None
    digits = zone[1:].replace(":", "").ljust(6, "0")
    size = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:]))
    return size if zone[0] == "+" else -size


def time_of_day(text: str) -> dt.time:
    """Read the time of a time or timestamp. Fails with expression.cast."""
    match = _TIME_RE.fullmatch(text)
    if match is None:
        return _read(text, "TIME")[0].time()
    try:
        return (EPOCH + dt.timedelta(microseconds=_clock(list(match.groups()[:4])))).time()
    except ValueError:
        raise cast_failed(text, "TIME") from None


def interval(text: str) -> Interval:
    """Read `1 day 2 hours`, `-3 months`, `10:30:00` or a mix of them. Fails with expression.cast."""
    source = text.strip().lower()
    negative = source.endswith(" ago")
    source = source.removesuffix(" ago")
    total, at = Interval(), 0
    while at < len(source):
        match = _PART_RE.match(source, at)
        part = _interval_part(match) if match else None
        if match is None or part is None:
            raise cast_failed(text, "INTERVAL")
        total = spread(total.months + part.months, total.days + part.days, total.micros + part.micros)
        at = match.end()
    if not source:
        raise cast_failed(text, "INTERVAL")
    return Interval(-total.months, -total.days, -total.micros) if negative else total


def _interval_part(match: re.Match[str]) -> Interval | None:
    sign = -1 if match[1] else 1
    if match[2]:
        hours, minutes, seconds = int(match[2]), int(match[3]), int(match[4] or 0)
        micros = int((match[5] or "")[:6].ljust(6, "0"))
        return Interval(micros=sign * (((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros))
    unit = unit_name(match[7] or "second")
    return None if unit is None else interval_of(sign * float(match[6]), unit)


def interval_of(amount: float, unit: str) -> Interval:
    """Return an interval of this many units; a fraction goes into the next smaller unit (a month has 30 days)."""
    months, days, micros = UNITS[unit]
    return spread(amount * months, amount * days, amount * micros)


def spread(months: float, days: float, micros: float) -> Interval:
    """Return an interval of these; fractions go into the next smaller unit. Fails with expression.overflow."""
    if not (abs(months) <= _MAX_MONTHS and abs(days) <= _MAX_DAYS and abs(micros) <= _MAX_MICROS):
        raise overflow("the INTERVAL")
    whole_months = int(months)
    days += int(round((months - whole_months) * 30, 6))
    whole_days = int(days)
    return Interval(whole_months, whole_days, round(micros + (days - whole_days) * MICROS_PER_DAY))


def timestamp_text(value: dt.datetime) -> str:
    """Return `YYYY-MM-DD HH:MM:SS[.ffffff]`, without trailing zeros in the fraction."""
    text = value.isoformat(" ")
    return text.rstrip("0") if value.microsecond else text


def time_text(value: dt.time) -> str:
    """Return `HH:MM:SS[.ffffff]`, without trailing zeros in the fraction."""
    text = value.isoformat()
    return text.rstrip("0") if value.microsecond else text


def interval_text(value: Interval) -> str:
    """Return `1 year 2 months 3 days 04:05:06`, leaving out what is zero."""
    years = int(value.months / 12)
    months = value.months - years * 12
    parts = [
        f"{amount} {unit}" if amount in (1, -1) else f"{amount} {unit}s"
        for amount, unit in ((years, "year"), (months, "month"), (value.days, "day"))
        if amount
    ]
    if value.micros or not parts:
        parts.append(_clock_text(value.micros))
    return " ".join(parts)


def _clock_text(micros: int) -> str:
    seconds, fraction = divmod(abs(micros), 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    text += f".{fraction:06}".rstrip("0") if fraction else ""
    return f"-{text}" if micros < 0 else text


def micros_since_epoch(value: dt.datetime) -> int:
    """Return the microseconds from 1970 to the moment."""
    return (value - EPOCH) // dt.timedelta(microseconds=1)
