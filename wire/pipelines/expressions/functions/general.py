"""Functions over values of any type, and those over the record itself."""

# ruff: noqa: E501 (the table has one row per function)

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from wire.core.records import Headers
from wire.pipelines.expressions.comparison import greatest, least, nullif
from wire.pipelines.expressions.functions.declare import any_value, integer, text
from wire.pipelines.expressions.functions.encodings import decode
from wire.pipelines.expressions.functions.times import from_micros
from wire.pipelines.expressions.tree import Arg, Function
from wire.pipelines.expressions.values import Kind, type_name


def header(headers: Headers, name: Any) -> str | None:
    """Return the last header of that name as text, NULL if there is none or it has no value."""
    found = [value for key, value in headers if key == name]
    return decode(found[-1]) if found and found[-1] is not None else None


def _moment(milliseconds: int) -> dt.datetime:
    return from_micros(milliseconds * 1000)


_X: Final = (any_value("x"),)

FUNCTIONS: Final = (
    Function(name="greatest", args=_X, variadic=True, strict=False, impl=greatest, returns=Kind.ANY, doc="Greatest argument; NULL is left out.", example=("greatest(1, NULL, 3)", "3")),
    Function(name="least", args=_X, variadic=True, strict=False, impl=least, returns=Kind.ANY, doc="Least argument; NULL is left out.", example=("least(2, 1)", "1")),
    Function(name="nullif", args=(any_value("a"), any_value("b")), strict=False, impl=nullif, returns=Kind.ANY, doc="NULL if both are equal, else the first.", example=("nullif('', '')", "NULL")),
    Function(name="typeof", args=_X, strict=False, impl=type_name, returns=Kind.TEXT, doc="Name of the value's type.", example=("typeof(1.5)", "'DOUBLE'")),
)  # fmt: skip

RECORD: Final = (
    Function(name="meta_key", meta="key", args=(Arg("key", Kind.BLOB),), impl=decode, returns=Kind.TEXT, doc="The record's key as text, NULL if it has none."),
    Function(name="meta_timestamp", meta="timestamp_ms", args=(integer("ms"),), impl=_moment, returns=Kind.TIMESTAMP, doc="The record's event time."),
    Function(name="meta_offset", meta="offset", args=(integer("offset"),), impl=int, inline="{0}", returns=Kind.INT, doc="The record's place in its partition."),
    Function(name="meta_partition", meta="partition", args=(text("partition"),), impl=str, inline="{0}", returns=Kind.TEXT, doc="The partition the record came from."),
    Function(name="header", meta="headers", args=(any_value("headers"), text("name")), strict=False, impl=header, returns=Kind.TEXT | Kind.NULL, doc="The last header of that name as text, NULL if there is none."),
    Function(name="now", meta="now_ms", args=(integer("ms"),), impl=_moment, returns=Kind.TIMESTAMP, aliases=("get_current_timestamp", "transaction_timestamp"), doc="The time at which the record is processed, the same for all records of a batch. Also `current_timestamp`."),
    Function(name="today", meta="now_ms", args=(integer("ms"),), impl=lambda ms: _moment(ms).date(), returns=Kind.DATE, doc="The day on which the record is processed. Also `current_date`."),
)  # fmt: skip
