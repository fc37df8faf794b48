"""The parameters functions are declared with, and the conversions that go with them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from wire.pipelines.expressions.errors import overflow
from wire.pipelines.expressions.moments import instant
from wire.pipelines.expressions.tree import Arg
from wire.pipelines.expressions.values import Kind


def to_double(value: float | Decimal) -> float:
    """Return a number as a double."""
    try:
        return float(value)
    except OverflowError:
        raise overflow("a number this large, as DOUBLE,") from None


def midnight(value: dt.date) -> dt.datetime:
    """Return the timestamp a date stands for."""
    return dt.datetime(value.year, value.month, value.day)


def text(name: str) -> Arg:
    """Declare a VARCHAR."""
    return Arg(name, Kind.TEXT)


def integer(name: str) -> Arg:
    """Declare a BIGINT."""
    return Arg(name, Kind.INT)


def number(name: str) -> Arg:
    """Declare a number of any type, given as it is."""
    return Arg(name, Kind.NUMBER)


def double(name: str) -> Arg:
    """Declare a DOUBLE; other numbers become one."""
    return Arg(name, Kind.FLOAT, {int: to_double, Decimal: to_double}, Kind.INT | Kind.DECIMAL)


def boolean(name: str) -> Arg:
    """Declare a BOOLEAN."""
    return Arg(name, Kind.BOOL, {int: bool, float: bool}, Kind.INT | Kind.FLOAT)


def moment(name: str) -> Arg:
    """Declare a TIMESTAMP; a DATE is its midnight, text is read as ISO 8601 (JSON has no timestamps)."""
    return Arg(name, Kind.TIMESTAMP, {dt.date: midnight, str: instant}, Kind.DATE | Kind.TEXT)


def blob_or_text(name: str) -> Arg:
    """Declare a VARCHAR or BLOB, given as bytes (text in UTF-8)."""
    return Arg(name, Kind.BLOB, {str: _encode}, Kind.TEXT)


def items(name: str) -> Arg:
    """Declare a LIST."""
    return Arg(name, Kind.LIST)


def any_value(name: str) -> Arg:
    """Declare a value of any type."""
    return Arg(name, Kind.ANY)


def _encode(value: str) -> Any:
    return value.encode("utf-8", "surrogatepass")
