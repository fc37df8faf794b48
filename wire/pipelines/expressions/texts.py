"""Values as text: `CAST(x AS VARCHAR)`, `||`, and JSON for what JSON has no type for."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from wire.pipelines.expressions.errors import mismatch
from wire.pipelines.expressions.moments import interval_text, time_text, timestamp_text
from wire.pipelines.expressions.values import Interval, LiteralText, type_name

_NEEDS_QUOTES: Final = re.compile(r"[\[\]{}(),:=\"'\\]|^\s|\s$|^$|^null$", re.IGNORECASE)


def _blob_text(value: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and chr(byte) not in "\\'\"" else f"\\x{byte:02X}" for byte in value)


def _list_text(value: list[Any]) -> str:
    return f"[{', '.join(map(_item_text, value))}]"


def _struct_text(value: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{_quoted(str(name))}: {_item_text(item)}" for name, item in value.items()) + "}"


def _item_text(value: Any) -> str:
    if value is None:
        return "NULL"
    text = to_text(value)
    return text if value.__class__ in (list, dict) or not _NEEDS_QUOTES.search(text) else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_TO_TEXT: Final[dict[type, Callable[[Any], str]]] = {
    str: str,
    LiteralText: str,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: repr,
    Decimal: lambda value: f"{value:f}",
    dt.datetime: timestamp_text,
    dt.date: dt.date.isoformat,
    dt.time: time_text,
    Interval: interval_text,
    bytes: _blob_text,
    list: _list_text,
    dict: _struct_text,
}


def to_text(value: Any) -> str:
    """Return any value that is not NULL as DuckDB writes it."""
    convert = _TO_TEXT.get(value.__class__)
    if convert is None:
        raise mismatch("a conversion to VARCHAR", type_name(value))
    return convert(value)


def concat_operator(*values: Any) -> Any:
    """Return `a || b || …`: text of everything, or one list of several; NULL if any is NULL."""
    if None in values:
        return None
    lists = sum(value.__class__ is list for value in values)
    if not lists:
        return "".join(map(to_text, values))
    if lists == len(values):
        return [item for value in values for item in value]
    raise mismatch("operator ||", "LIST and other types", hint="write [x] to append an item to a list")


def json_value(value: Any) -> Any:
    """Return a value in JSON's own types: DECIMAL as a number, NaN and infinities as null, what is left as its text."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if value - value == 0 else None
        case Decimal():
            return float(value)
        case list():
            return [json_value(item) for item in value]
        case dict():
            return {str(name): json_value(item) for name, item in value.items()}
    return to_text(value)
