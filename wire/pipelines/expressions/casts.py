"""CAST: how every type becomes every other, as in DuckDB.

Text becomes a number with spaces around it, underscores and exponents allowed; a number becomes BIGINT rounded, from
DOUBLE half to even, from text and DECIMAL half away from zero. Every function here takes any value that is not NULL
and fails with `expression.cast` where it has no meaning in the target type.
"""

from __future__ import annotations

import datetime as dt
import re
import struct
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from wire.pipelines.expressions import moments
from wire.pipelines.expressions.errors import cast_failed
from wire.pipelines.expressions.functions.declare import midnight
from wire.pipelines.expressions.texts import json_value, to_text
from wire.pipelines.expressions.values import HUGEINT_MAX, HUGEINT_MIN, Interval

Cast = Callable[[Any], Any]
_NUMBER: Final = re.compile(r"\s*([+-]?(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+(?:_\d+)*)?)\s*", re.ASCII)
_BASED: Final = re.compile(r"\s*0(?:[xX][0-9a-fA-F]+|[bB][01]+)\s*", re.ASCII)
_SPECIAL: Final = re.compile(r"\s*[+-]?(?:inf|infinity|nan)\s*", re.ASCII | re.IGNORECASE)
_TRUE: Final = frozenset({"true", "t", "yes", "y", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0"})
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_UP)


def to_boolean(value: Any) -> bool:
    """Read `true`, `t`, `yes`, `y`, `1` and their opposites in any case; a number is true unless zero."""
    match value:
        case bool():
            return value
        case int() | float() | Decimal():
            return value != 0
        case str():
            word = value.lower()
            if word in _TRUE or word in _FALSE:
                return word in _TRUE
    raise cast_failed(value, "BOOLEAN")


def _integer(value: Any, target: str) -> int:
    match value:
        case bool() | int():
            return int(value)
        case float():
            if value - value == 0:
                return round(value)
        case Decimal():
            return int(value.to_integral_value(ROUND_HALF_UP))
        case str():
            if _BASED.fullmatch(value):
                return int(value, 0)
            number = _decimal_text(value)
            if number is not None and number.adjusted() < 60:
                return int(number.to_integral_value(ROUND_HALF_UP))
    raise cast_failed(value, target)


def _decimal_text(value: str) -> Decimal | None:
    match = _NUMBER.fullmatch(value)
    try:
        return Decimal(match[1].replace("_", "")) if match and len(value) <= 1000 else None
    except InvalidOperation:
        return None


def _integer_cast(target: str, least: int, most: int) -> Cast:
    def cast(value: Any) -> int:
        result = value if value.__class__ is int else _integer(value, target)
        if least <= result <= most:
            return result
        raise cast_failed(value, target)

    return cast


to_bigint = _integer_cast("BIGINT", -(2**63), 2**63 - 1)


def to_double(value: Any) -> float:
    """Read a number, `inf` or `nan`; text too large for a DOUBLE is infinite."""
    match value:
        case bool() | int() | float() | Decimal():
            try:
                return float(value)
            except OverflowError:
                pass
        case str():
            match_ = _NUMBER.fullmatch(value)
            if match_:
                return float(match_[1].replace("_", ""))
            if _SPECIAL.fullmatch(value):
                return float(value)
    raise cast_failed(value, "DOUBLE")


def _to_float(value: Any) -> float:
    number = to_double(value)
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        raise cast_failed(value, "FLOAT") from None


def to_decimal(value: Any) -> Decimal:
    """Read a number exactly as it is written."""
    match value:
        case bool() | int():
            return Decimal(value)
        case float() if value - value == 0:
            return Decimal(repr(value))
        case Decimal():
            return value
        case str():
            number = _decimal_text(value)
            if number is not None:
                return number
    raise cast_failed(value, "DECIMAL")


def decimal_cast(precision: int, scale: int) -> Cast:
    """Return the cast to DECIMAL(precision, scale), rounding half away from zero."""
    step, limit = Decimal(1).scaleb(-scale), Decimal(10) ** (precision - scale)
    target = f"DECIMAL({precision},{scale})"

    def cast(value: Any) -> Decimal:
        try:
            result = to_decimal(value).quantize(step, context=_EXACT)
        except InvalidOperation:
            raise cast_failed(value, target) from None
        if abs(result) < limit:
            return result
        raise cast_failed(value, target)

    return cast


def to_date(value: Any) -> dt.date:
    """Read `YYYY-MM-DD`, or take a timestamp's day."""
    match value:
        case dt.datetime():
            return value.date()
        case dt.date():
            return value
        case str():
            return moments.date(value)
    raise cast_failed(value, "DATE")


def _timestamp_cast(target: str, read: Callable[[str], dt.datetime]) -> Cast:
    def cast(value: Any) -> dt.datetime:
        match value:
            case dt.datetime():
                return value
            case dt.date():
                return midnight(value)
            case str():
                return read(value)
        hint = "; epoch_ms(x) makes one of milliseconds since 1970" if value.__class__ is int else ""
        raise cast_failed(value, f"{target}{hint}")

    return cast


def to_time(value: Any) -> dt.time:
    """Read `HH:MM[:SS[.ffffff]]`, or take a timestamp's time of day."""
    match value:
        case dt.datetime():
            return value.time()
        case dt.time():
            return value
        case str():
            return moments.time_of_day(value)
    raise cast_failed(value, "TIME")


def to_interval(value: Any) -> Interval:
    """Read `1 day 2 hours` and the like."""
    match value:
        case Interval():
            return value
        case str():
            return moments.interval(value)
    raise cast_failed(value, "INTERVAL")


_HEX_ESCAPE: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")


def to_blob(value: Any) -> bytes:
    r"""Take text's UTF-8 bytes, with `\xAB` for bytes that are none."""
    match value:
        case bytes():
            return value
        case str():
            raw = value.encode("utf-8", "surrogatepass")
            escaped = _HEX_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw)
            if value.isascii() and raw.count(b"\\") == len(_HEX_ESCAPE.findall(raw)):
                return escaped
    raise cast_failed(value, "BLOB")


def to_json(value: Any) -> Any:
    """Parse text as JSON into lists and structs; other values are what they are (the record is JSON already)."""
    if value.__class__ is not str:
        return json_value(value) if value.__class__ in (list, dict) else value
    try:
        return msgspec.json.decode(value)
    except (ValueError, RecursionError):
        raise cast_failed(value, "JSON") from None


def list_cast(item: Cast, target: str) -> Cast:
    """Return the cast of every item of a list; text is read as JSON first."""

    def cast(value: Any) -> list[Any]:
        if value.__class__ is str:
            value = to_json(value)
        if value.__class__ is not list:
            raise cast_failed(value, target)
        return [None if each is None else item(each) for each in value]

    return cast


SIMPLE: Final[dict[str, Cast]] = {
    "BOOLEAN": to_boolean,
    "TINYINT": _integer_cast("TINYINT", -(2**7), 2**7 - 1),
    "SMALLINT": _integer_cast("SMALLINT", -(2**15), 2**15 - 1),
    "INTEGER": _integer_cast("INTEGER", -(2**31), 2**31 - 1),
    "BIGINT": to_bigint,
    "HUGEINT": _integer_cast("HUGEINT", HUGEINT_MIN, HUGEINT_MAX),
    "UTINYINT": _integer_cast("UTINYINT", 0, 2**8 - 1),
    "USMALLINT": _integer_cast("USMALLINT", 0, 2**16 - 1),
    "UINTEGER": _integer_cast("UINTEGER", 0, 2**32 - 1),
    "UBIGINT": _integer_cast("UBIGINT", 0, 2**64 - 1),
    "FLOAT": _to_float,
    "DOUBLE": to_double,
    "VARCHAR": to_text,
    "DATE": to_date,
    "TIME": to_time,
    "TIMESTAMP": _timestamp_cast("TIMESTAMP", moments.timestamp),
    "TIMESTAMPTZ": _timestamp_cast("TIMESTAMPTZ", moments.instant),
    "INTERVAL": to_interval,
    "BLOB": to_blob,
    "JSON": to_json,
}
"""Every target without parameters, by name."""
