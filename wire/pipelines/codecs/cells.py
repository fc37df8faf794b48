"""Single CSV cells: text read as a declared type, and values of any type written as text."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any, Final

from wire.core.errors import RecordError
from wire.core.formats import ColumnType
from wire.pipelines.codecs.json import encode
from wire.pipelines.expressions import casts, moments
from wire.pipelines.expressions.texts import to_text
from wire.pipelines.expressions.values import BIGINT_MAX, BIGINT_MIN

PLAIN: Final = frozenset({str, int})
"""Classes whose values csv.writer writes as they should be written."""

_SAFE_DIGITS: Final = 18  # any integer this short fits 64 bits

Reader = Callable[[str], Any]
Fault = Callable[[str], RecordError]


def _bigint(fault: Fault) -> Reader:
    def read(cell: str) -> int:
        try:
            value = int(cell)
        except ValueError:
            raise fault(cell) from None
        # int() also takes underscores and the digits of other scripts.
        if cell.isascii() and "_" not in cell and (len(cell) <= _SAFE_DIGITS or BIGINT_MIN <= value <= BIGINT_MAX):
            return value
        raise fault(cell)

    return read


def _double(fault: Fault) -> Reader:
    def read(cell: str) -> float:
        try:
            value = float(cell)
        except ValueError:
            raise fault(cell) from None
        if cell.isascii() and "_" not in cell:
            return value
        raise fault(cell)

    return read


def _cast(cast: Reader, fault: Fault) -> Reader:
    def read(cell: str) -> Any:
        try:
            return cast(cell)
        except RecordError:
            raise fault(cell) from None

    return read


_READERS: Final[dict[ColumnType, Callable[[Fault], Reader]]] = {
    "boolean": functools.partial(_cast, casts.to_boolean),
    "bigint": _bigint,
    "double": _double,
    "varchar": functools.partial(_cast, str),
    "date": functools.partial(_cast, moments.date),
    "timestamp": functools.partial(_cast, moments.instant),
}


def cell_reader(kind: ColumnType, column: str) -> Reader:
    """Return a function that reads a cell that is not NULL; RecordError names the column if it is not of its type."""

    def fault(cell: str) -> RecordError:
        shown = repr(cell) if len(cell) <= 40 else repr(cell[:37] + "…")
        message = f"column `{column}`: {shown} is not a {kind}"
        return RecordError("record.decode", message, hint=f"correct the column's type, or add {shown} to `nulls`")

    return _READERS[kind](fault)


def cell_text(null: str) -> Callable[[Any], Any]:
    """Return a function that gives what csv.writer must be handed for a value; NULL is written as `null`."""

    def convert(value: Any) -> Any:
        cls = value.__class__
        if cls is str or cls is int:
            return value
        if value is None:
            return null
        if cls is dt.datetime:
            moment = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
            return moment.isoformat() + "Z"
        if cls is list or cls is dict:
            return encode(value).decode()
        return to_text(value)

    return convert
