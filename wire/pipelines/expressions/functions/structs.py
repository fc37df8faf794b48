"""Nested values: structs, subscripts and JSON. JSON text is parsed where a path is taken from it."""

# ruff: noqa: E501 (the table has one row per function)

from __future__ import annotations

import functools
import re
from typing import Any, Final

import msgspec

from wire.pipelines.expressions.casts import to_json
from wire.pipelines.expressions.errors import domain, mismatch
from wire.pipelines.expressions.functions.declare import any_value, text
from wire.pipelines.expressions.functions.strings import check_offsets
from wire.pipelines.expressions.texts import json_value
from wire.pipelines.expressions.tree import Arg, Function
from wire.pipelines.expressions.values import BIGINT_MAX, Kind, type_name

_STEP: Final = re.compile(r"\.(?:\"([^\"]*)\"|([^.\[\]\"]+))|\[(-?\d{1,9}|#-\d{1,9})\]", re.ASCII)


def struct_extract(value: dict[str, Any], name: str) -> Any:
    """Return a field, NULL if there is none of that name."""
    return value.get(name)


def subscript(value: Any, index: Any) -> Any:
    """Return `value[index]`: an item (NULL beyond the ends), a character (empty beyond), or a field."""
    if value.__class__ is dict:
        if index.__class__ is not str:
            raise mismatch("a STRUCT's [ ]", type_name(index))
        return value.get(index)
    if index.__class__ is not int:
        raise mismatch("[ ]", f"{type_name(value)} and {type_name(index)}")
    if value.__class__ is str:
        check_offsets(index)
    at = index - 1 if index > 0 else len(value) + index if index < 0 else -1
    if 0 <= at < len(value):
        return value[at]
    return "" if value.__class__ is str else None


def slice_of(value: Any, begin: Any, end: Any, has_begin: bool = True, has_end: bool = True) -> Any:
    """Return `value[begin:end]`, both ends included."""
    first = begin if has_begin else 1
    last = end if has_end else BIGINT_MAX
    for bound in (first, last):
        if bound.__class__ is not int:
            raise mismatch("a slice", type_name(bound))
    size = len(value)
    first = first if first >= 0 else max(size + first + 1, 1)
    last = last if last >= 0 else size + last + 1
    return value[max(first - 1, 0) : max(last, 0)]


def _slice(value: Any, begin: Any, end: Any, has_begin: Any, has_end: Any) -> Any:
    if value is None or (has_begin and begin is None) or (has_end and end is None):
        return None
    if value.__class__ not in (list, str):
        raise mismatch("a slice", type_name(value))
    return slice_of(value, begin, end, has_begin, has_end)


@functools.lru_cache(256)
def json_path(path: str) -> tuple[str | int, ...]:
    """Return the steps of `$.a.b[0]`, of `/a/b/0`, or of a plain name. Fails with expression.domain."""
    if path.startswith("/"):
        return tuple(step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/"))
    if not path.startswith("$"):
        return (path,)
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise domain(f'{path!r} is no JSON path Wire reads; write $.name, $."a name" or $[0]')
        name = match[1] if match[1] is not None else match[2]
        steps.append(int(match[3].removeprefix("#")) if name is None else name)
        at = match.end()
    return tuple(steps)


def json_extract(value: Any, path: Any) -> Any:
    """Return what is at a path (a name, `$.a[0]`, `/a/0`, or an index from 0), NULL if nothing is."""
    if value is None or path is None:
        return None
    if value.__class__ is str:
        value = to_json(value)
    if path.__class__ not in (str, int):
        raise mismatch("operator ->", type_name(path))
    for step in json_path(path) if path.__class__ is str else (path,):
        value = _step(value, step)
    return value


def _step(value: Any, step: str | int) -> Any:
    if value.__class__ is dict:
        return value.get(step)
    if value.__class__ is not list:
        return None
    if isinstance(step, str):
        if not (step.isascii() and step.isdigit()):
            return None
        step = int(step)
    return value[step] if -len(value) <= step < len(value) else None


def json_extract_string(value: Any, path: Any) -> str | None:
    """Return what is at a path as text: text as it is, everything else as JSON."""
    found = json_extract(value, path)
    return found if found is None or found.__class__ is str else to_json_text(found)


def to_json_text(value: Any) -> str:
    """Return a value as JSON text."""
    try:
        return msgspec.json.encode(json_value(value)).decode()
    except UnicodeEncodeError as exc:
        raise domain(f"this has no JSON: {exc}") from None


def json_array_length(value: Any) -> int:
    """Return the number of items of a list or JSON text, 0 for anything else."""
    value = to_json(value) if value.__class__ is str else value
    return len(value) if value.__class__ is list else 0


def json_valid(value: str) -> bool:
    """Return whether text is JSON."""
    try:
        msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return False
    return True


def json_type(value: Any) -> str:
    """Return the name of the JSON type of text or of a value."""
    value = to_json(value) if value.__class__ is str else value
    match value:
        case None:
            return "NULL"
        case bool():
            return "BOOLEAN"
        case int():
            return "UBIGINT" if value >= 0 else "BIGINT"
        case float():
            return "DOUBLE"
        case list():
            return "ARRAY"
        case dict():
            return "OBJECT"
        case _:
            return "VARCHAR"


_STRUCT: Final = Arg("struct", Kind.STRUCT)
_NESTED: Final = Arg("json", Kind.STRUCT | Kind.LIST | Kind.TEXT)
SUBSCRIPT: Final = Function(
    name="[ ]",
    args=(Arg("list", Kind.LIST | Kind.TEXT | Kind.STRUCT), any_value("index")),
    impl=subscript,
    returns=Kind.ANY,
)
SLICE: Final = Function(
    name="[ : ]", args=tuple(map(any_value, ("list", "begin", "end", "has_begin", "has_end"))), strict=False, impl=_slice,
    returns=Kind.LIST | Kind.TEXT | Kind.NULL,
)  # fmt: skip
FUNCTIONS: Final = (
    Function(name="struct_extract", args=(_STRUCT, text("name")), impl=struct_extract, inline="{0}.get({1})", returns=Kind.ANY, doc="One field of a struct, NULL if it has none of that name. Same as `struct.name` and `struct['name']`.", example=("struct_extract({'a': 1}, 'a')", "1")),
    Function(name="struct_keys", args=(_STRUCT,), impl=list, returns=Kind.LIST, doc="Names of the fields.", example=("struct_keys({'a': 1})", "['a']")),
    Function(name="struct_values", args=(_STRUCT,), impl=lambda value: list(value.values()), returns=Kind.LIST, doc="Values of the fields.", example=("struct_values({'a': 1})", "[1]")),
    Function(name="json_extract", args=(any_value("json"), any_value("path")), strict=False, impl=json_extract, returns=Kind.ANY, aliases=("json_extract_path",), doc="What is at a path, as a value. Same as `json -> path`.", example=("json_extract('{\"a\": [1, 2]}', '$.a[1]')", "2")),
    Function(name="json_extract_string", args=(any_value("json"), any_value("path")), strict=False, impl=json_extract_string, returns=Kind.TEXT | Kind.NULL, aliases=("json_extract_path_text",), doc="What is at a path, as text. Same as `json ->> path`.", example=("json_extract_string({'a': 1}, 'a')", "'1'")),
    Function(name="json_array_length", args=(_NESTED,), impl=json_array_length, returns=Kind.INT, doc="Number of items, 0 for what is no list.", example=("json_array_length('[1, 2]')", "2")),
    Function(name="json_valid", args=(text("string"),), impl=json_valid, returns=Kind.BOOL, doc="Whether text is JSON.", example=("json_valid('{')", "false")),
    Function(name="json_type", args=(_NESTED,), impl=json_type, returns=Kind.TEXT, doc="Type of a JSON value.", example=("json_type('[1]')", "'ARRAY'")),
    Function(name="to_json", args=(any_value("x"),), impl=to_json_text, returns=Kind.TEXT, doc="A value as JSON text. `CAST(text AS JSON)` does the opposite.", example=("to_json([1, 2])", "'[1,2]'")),
)  # fmt: skip
