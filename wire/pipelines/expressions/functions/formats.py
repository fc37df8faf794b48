"""strftime and strptime. Formats are read once and kept as a list of steps."""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from wire.core.errors import RecordError
from wire.pipelines.expressions.errors import cast_failed, domain

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_Writer = Callable[[dt.datetime], str]

_WRITERS: Final[dict[str, _Writer]] = {
    "Y": lambda t: f"{t.year:04}",
    "y": lambda t: f"{t.year % 100:02}",
    "-y": lambda t: str(t.year % 100),
    "m": lambda t: f"{t.month:02}",
    "-m": lambda t: str(t.month),
    "d": lambda t: f"{t.day:02}",
    "-d": lambda t: str(t.day),
    "H": lambda t: f"{t.hour:02}",
    "-H": lambda t: str(t.hour),
    "I": lambda t: f"{(t.hour - 1) % 12 + 1:02}",
    "-I": lambda t: str((t.hour - 1) % 12 + 1),
    "M": lambda t: f"{t.minute:02}",
    "-M": lambda t: str(t.minute),
    "S": lambda t: f"{t.second:02}",
    "-S": lambda t: str(t.second),
    "f": lambda t: f"{t.microsecond:06}",
    "g": lambda t: f"{t.microsecond // 1000:03}",
    "n": lambda t: f"{t.microsecond * 1000:09}",
    "j": lambda t: f"{t.timetuple().tm_yday:03}",
    "-j": lambda t: str(t.timetuple().tm_yday),
    "p": lambda t: "AM" if t.hour < 12 else "PM",
    "a": lambda t: DAYS[t.weekday()][:3],
    "A": lambda t: DAYS[t.weekday()],
    "b": lambda t: MONTHS[t.month - 1][:3],
    "h": lambda t: MONTHS[t.month - 1][:3],
    "B": lambda t: MONTHS[t.month - 1],
    "u": lambda t: str(t.isoweekday()),
    "w": lambda t: str(t.isoweekday() % 7),
    "U": lambda t: f"{(t.timetuple().tm_yday + 6 - t.isoweekday() % 7) // 7:02}",
    "W": lambda t: f"{(t.timetuple().tm_yday + 6 - t.weekday()) // 7:02}",
    "V": lambda t: f"{t.isocalendar().week:02}",
    "G": lambda t: f"{t.isocalendar().year:04}",
    "z": lambda _: "+00",
    "Z": lambda _: "",
    "c": lambda t: t.isoformat(" ", "seconds"),
    "x": lambda t: t.date().isoformat(),
    "X": lambda t: t.time().isoformat("seconds"),
    "%": lambda _: "%",
}
# Specifiers that are one attribute each are written by one `%` operator, several times faster than step by step.
_ATTRIBUTES: Final = {
    "Y": ("year", "%04d"), "m": ("month", "%02d"), "-m": ("month", "%d"), "d": ("day", "%02d"), "-d": ("day", "%d"),
    "H": ("hour", "%02d"), "-H": ("hour", "%d"), "M": ("minute", "%02d"), "-M": ("minute", "%d"),
    "S": ("second", "%02d"), "-S": ("second", "%d"), "f": ("microsecond", "%06d"),
}  # fmt: skip


def _split(form: str) -> list[str]:
    """Split a format into literal text and specifiers, which start with `%`."""
    if not form:
        raise domain("the format is empty")
    steps: list[str] = []
    at = 0
    while at < len(form):
        if form[at] != "%":
            end = form.find("%", at)
            end = len(form) if end < 0 else end
            steps.append(form[at:end])
            at = end
            continue
        size = 3 if form[at + 1 : at + 2] == "-" else 2
        if form[at + 1 : at + size] not in _WRITERS:
            raise domain(f"{form[at : at + size]} is no format specifier")
        steps.append(form[at : at + size])
        at += size
    return steps


@functools.lru_cache(256)
def _writer(form: str) -> _Writer:
    steps = _split(form)
    specifiers = [step[1:] for step in steps if step[0] == "%"]
    if not specifiers or not all(specifier in _ATTRIBUTES for specifier in specifiers):
        return lambda t: _write(steps, t)
    template = "".join(_ATTRIBUTES[step[1:]][1] if step[0] == "%" else step for step in steps)
    attributes = operator.attrgetter(*(_ATTRIBUTES[specifier][0] for specifier in specifiers))
    return lambda t: template % attributes(t)


def _write(steps: list[str], moment: dt.datetime) -> str:
    return "".join(_WRITERS[step[1:]](moment) if step[0] == "%" else step for step in steps)


def strftime(moment: dt.datetime, form: str) -> str:
    """Write a timestamp by a format."""
    return _writer(form)(moment)


def check_format(form: str) -> None:
    """Fail with expression.domain if this is no format for strftime."""
    _split(form)


class _Parts:
    """What strptime has read so far."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.offset: dt.timedelta | None = None


class _Number(NamedTuple):
    """A numeric specifier: what it sets, and its range."""

    part: str
    digits: int
    least: int
    most: int


_NUMBERS: Final = {
    "Y": _Number("year", 4, 0, 9999),
    "y": _Number("short_year", 2, 0, 99),
    "m": _Number("month", 2, 1, 12),
    "d": _Number("day", 2, 1, 31),
    "H": _Number("hour", 2, 0, 23),
    "I": _Number("hour12", 2, 1, 12),
    "M": _Number("minute", 2, 0, 59),
    "S": _Number("second", 2, 0, 59),
    "j": _Number("day_of_year", 3, 1, 366),
    "u": _Number("ignored", 1, 1, 7),
    "w": _Number("ignored", 1, 0, 6),
    "U": _Number("ignored", 2, 0, 53),
    "W": _Number("ignored", 2, 0, 53),
}
_NAMES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "a": ("ignored", tuple(day[:3] for day in DAYS)),
    "A": ("ignored", DAYS),
    "b": ("month", tuple(month[:3] for month in MONTHS)),
    "h": ("month", tuple(month[:3] for month in MONTHS)),
    "B": ("month", MONTHS),
    "p": ("half", ("AM", "PM")),
}
_FRACTIONS: Final = {"f": 6, "g": 3, "n": 9}
_COMPOSED: Final = {"x": "%Y-%m-%d", "X": "%H:%M:%S", "c": "%Y-%m-%d %H:%M:%S"}


@functools.lru_cache(256)
def _reader(form: str) -> tuple[str, ...]:
    for specifier, longer in _COMPOSED.items():
        form = form.replace(f"%{specifier}", longer)
    steps = _split(form)
    for step in steps:
        name = step[-1]
        if step[0] == "%" and name not in (*_NUMBERS, *_NAMES, *_FRACTIONS, "z", "%"):
            raise domain(f"{step} can't be used to read")
    return tuple(steps)


def strptime(string: str, form: str) -> dt.datetime:
    """Read a timestamp by a format; `%z` converts to UTC. Fails with expression.cast."""
    steps = _reader(form)
    try:
        return _read(string, steps)
    except (ValueError, OverflowError):
        raise cast_failed(string, f"TIMESTAMP by the format {form!r}") from None


def try_strptime(string: str, form: str) -> dt.datetime | None:
    """Read a timestamp by a format, NULL where it does not fit."""
    check_reading(form)
    try:
        return strptime(string, form)
    except RecordError:
        return None


def check_reading(form: str) -> None:
    """Fail with expression.domain if this is no format for strptime."""
    _reader(form)


def _read(string: str, steps: tuple[str, ...]) -> dt.datetime:
    parts, at = _Parts(), _skip_spaces(string, 0)
    for step in steps:
        at = _read_step(string, at, step, parts)
    if _skip_spaces(string, at) != len(string):
        raise ValueError
    return _assemble(parts)


def _skip_spaces(string: str, at: int) -> int:
    while at < len(string) and string[at].isspace():
        at += 1
    return at


def _read_step(string: str, at: int, step: str, parts: _Parts) -> int:
    name = step[-1]
    if step[0] != "%" or name == "%":
        return _read_literal(string, at, step if step[0] != "%" else "%")
    if name == "z":
        return _read_offset(string, at, parts)
    if name in _NAMES:
        return _read_name(string, at, *_NAMES[name], parts)
    digits = _FRACTIONS.get(name) or _NUMBERS[name].digits
    end = at
    while end < len(string) and end - at < digits and "0" <= string[end] <= "9":
        end += 1
    if end == at:
        raise ValueError
    if name in _FRACTIONS:
        parts.values["micros"] = int(string[at:end].ljust(9, "0")[:6])
        return end
    number, value = _NUMBERS[name], int(string[at:end])
    if not number.least <= value <= number.most:
        raise ValueError
    parts.values[number.part] = value
    return end


def _read_literal(string: str, at: int, literal: str) -> int:
    for character in literal:
        if character.isspace():
            at = _skip_spaces(string, at)
        elif string[at : at + 1] == character:
            at += 1
        else:
            raise ValueError
    return at


def _read_name(string: str, at: int, part: str, names: tuple[str, ...], parts: _Parts) -> int:
    for index, name in enumerate(names):
        if string[at : at + len(name)].lower() == name.lower():
            parts.values[part] = index + 1
            return at + len(name)
    raise ValueError


def _read_offset(string: str, at: int, parts: _Parts) -> int:
    if string[at : at + 1] == "Z":
        parts.offset = dt.timedelta()
        return at + 1
    sign = {"+": 1, "-": -1}.get(string[at : at + 1], 0)
    hours, minutes = string[at + 1 : at + 3], string[at + 3 : at + 6]
    minutes = minutes[1:] if minutes[:1] == ":" else minutes[:2]
    if not sign or not (len(hours) == 2 and hours.isascii() and hours.isdigit()):
        raise ValueError
    end = at + 3
    if len(minutes) == 2 and minutes.isascii() and minutes.isdigit():
        end = at + (6 if string[at + 3] == ":" else 5)
    else:
        minutes = "0"
    parts.offset = sign * dt.timedelta(hours=int(hours), minutes=int(minutes))
    return end


def _assemble(parts: _Parts) -> dt.datetime:
    get: Any = parts.values.get
    short = get("short_year")
    year = get("year") if short is None else short + (1900 if short >= 69 else 2000)
    hour = get("hour", 0)
    if "hour12" in parts.values or "half" in parts.values:
        hour = get("hour12", hour) % 12 + (12 if get("half") == 2 else 0)
    moment = dt.datetime(
        1900 if year is None else year, get("month", 1), get("day", 1), hour, get("minute", 0), get("second", 0),
        get("micros", 0),
    )  # fmt: skip
    if "day_of_year" in parts.values:
        first = moment.replace(month=1, day=1)
        moment = first + dt.timedelta(days=parts.values["day_of_year"] - 1)
        if moment.year != first.year:
            raise ValueError
    return moment - parts.offset if parts.offset else moment
