"""Single CSV cells: text read as a declared type, and values of any type written as text."""

from __future__ import annotations

import datetime as dt
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


def _bigint(cell: str) -> int:
    # int() also takes underscores and the digits of other scripts.
    if not cell.isascii() or "_" in cell:
        raise ValueError
    value = int(cell)
    if len(cell) > _SAFE_DIGITS and not BIGINT_MIN <= value <= BIGINT_MAX:
        raise ValueError
    return value


def _double(cell: str) -> float:
    if not cell.isascii() or "_" in cell:
        raise ValueError
    return float(cell)


_READERS: Final[dict[ColumnType, Callable[[str], Any]]] = {
    "boolean": casts.to_boolean,
    "bigint": _bigint,
    "double": _double,
    "varchar": str,
    "date": moments.date,
    "timestamp": moments.instant,
}


def cell_reader(kind: ColumnType, column: str) -> Callable[[str], Any]:
    """Return a function that reads a cell that is not NULL; RecordError names the column if it is not of its type."""
    read = _READERS[kind]

    def read_cell(cell: str) -> Any:
        try:
            return read(cell)
        except (ValueError, RecordError):
            shown = repr(cell) if len(cell) <= 40 else repr(cell[:37] + "…")
            message = f"column `{column}`: {shown} is not a {kind}"
            raise RecordError(
                "record.decode", message, hint=f"correct the column's type, or add {shown} to `nulls`"
            ) from None

    return read_cell


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
