"""Timestamps, in the many ways they are written."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final

from msgspec import field

from wire.core.config import Config, doc, suggest
from wire.pipelines.expressions.values import EPOCH
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.parse.reading import Value, invalid, text_of

_LONGEST: Final = 100
_PER_SECOND: Final = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
_NUMBER: Final = re.compile(r"([+-]?[0-9]{1,30})(?:\.([0-9]{1,30}))?")
_DIRECTIVE: Final = re.compile(r"%(.?)", re.DOTALL)
_DIRECTIVES: Final = frozenset("aAbBdHIjmMpSfyYzGuVUwW%")
_YEARS: Final = frozenset("yYG")

Read = Callable[[Any], dt.datetime | None]


class AsTimestamp(Config, frozen=True, kw_only=True, tag="timestamp", tag_field="type"):
    """A point in time."""

    formats: Annotated[
        list[str],
        doc(
            "What to try, in order: `iso8601`, `rfc2822`, a number that counts `s`, `ms`, `us` or `ns` since 1970, or "
            'a format of Python\'s strptime, such as `"%d/%b/%Y:%H:%M:%S %z"`.'
        ),
    ] = field(default_factory=lambda: ["iso8601", "rfc2822"])
    timezone: Annotated[str, doc("The time zone of times that don't name theirs, such as `Europe/Berlin`.")] = "UTC"

    def reading(self, context: TransformContext) -> Value:
        """Return how it is read. Raises ConfigError for formats and time zones there are not."""
        zone = _zone(self.timezone, context)
        if not self.formats:
            raise context.mistake("`formats` is empty", "leave it out, or list what to try", "as", "formats")
        known: dict[str, Read] = {"iso8601": _Iso(zone).read, "rfc2822": _Rfc2822(zone).read}
        known.update({unit: _Epoch(per_second).read for unit, per_second in _PER_SECOND.items()})
        reads = [_reader(name, known, zone, index, context) for index, name in enumerate(self.formats)]
        return Value(_First(reads, self.formats).read)


def _zone(name: str, context: TransformContext) -> dt.tzinfo:
    if name == "UTC":
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = "write a name of the tz database, such as Europe/Berlin"
        raise context.mistake(f"there is no time zone `{name}`", hint, "as", "timezone") from None


def _reader(name: str, known: Mapping[str, Read], zone: dt.tzinfo, index: int, context: TransformContext) -> Read:
    if name in known:
        return known[name]
    if "%" not in name:
        hint = suggest(name, known) or f"there are {', '.join(known)}, and formats of strptime"
        raise context.mistake(f"there is no format `{name}`", hint, "as", "formats", index)
    letters = set(_DIRECTIVE.findall(name))
    if unknown := sorted(letters - _DIRECTIVES):
        hint = "a zone is %z if it is an offset; any other is written as it stands, and named in `timezone`"
        raise context.mistake(f"`%{unknown[0]}` can't be read", hint, "as", "formats", index)
    if not letters & _YEARS:
        raise context.mistake(f"`{name}` has no year", "add %Y, or read it with a regex first", "as", "formats", index)
    moment = dt.datetime(2001, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    try:
        dt.datetime.strptime(moment.strftime(name), name)
    except (ValueError, re.error):
        hint = "%G goes with %V and %u, and nothing is given twice"
        raise context.mistake(f"`{name}` can't be read", hint, "as", "formats", index) from None
    return _Strptime(name, zone).read


class _First:
    """The first format that fits."""

    def __init__(self, reads: list[Read], names: list[str]) -> None:
        self._reads = reads
        self._names = names

    def read(self, value: Any) -> dt.datetime:
        if value.__class__ is dt.datetime:
            moment: dt.datetime = value
            return moment
        if value.__class__ is dt.date:
            return dt.datetime.combine(value, dt.time())
        text = value
        if value.__class__ not in (int, float):
            text = text_of(value).strip()
            if len(text) > _LONGEST:
                raise invalid("a timestamp", text, f"it is longer than {_LONGEST} characters")
        for read in self._reads:
            try:
                found = read(text)
            except (ValueError, TypeError, IndexError, OverflowError):  # TypeError, IndexError: from email.utils
                continue
            if found is not None:
                return found
        raise invalid(f"a timestamp in {' or '.join(self._names)}", str(value))


class _Iso:
    def __init__(self, zone: dt.tzinfo) -> None:
        self._zone = zone

    def read(self, value: Any) -> dt.datetime | None:
        if value.__class__ is not str or (value.isdigit() and len(value) != 8):  # digits alone are YYYYMMDD, or a count
            return None
        return _utc(dt.datetime.fromisoformat(value), self._zone)


class _Rfc2822:
    def __init__(self, zone: dt.tzinfo) -> None:
        self._zone = zone

    def read(self, value: Any) -> dt.datetime | None:
        if value.__class__ is not str:
            return None
        moment = parsedate_to_datetime(value)
        return _utc(moment, dt.UTC if value.endswith("-0000") else self._zone)


class _Strptime:
    def __init__(self, form: str, zone: dt.tzinfo) -> None:
        self._form = form
        self._zone = zone

    def read(self, value: Any) -> dt.datetime | None:
        return _utc(dt.datetime.strptime(str(value), self._form), self._zone)


class _Epoch:
    def __init__(self, per_second: int) -> None:
        self._per_second = per_second

    def read(self, value: Any) -> dt.datetime | None:
        if value.__class__ is str:
            match = _NUMBER.fullmatch(value)
            if match is None:
                return None
            whole, fraction = match[1], match[2] or ""
            micros = int(whole + fraction) * 1_000_000 // (self._per_second * 10 ** len(fraction))
        else:
            micros = int(value * 1_000_000 // self._per_second)
        return EPOCH + dt.timedelta(microseconds=micros)


def _utc(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return a TIMESTAMP: naive, in UTC."""
    if moment.tzinfo is None and zone is dt.UTC:
        return moment
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return aware.astimezone(dt.UTC).replace(tzinfo=None)
