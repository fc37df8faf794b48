"""Calling a function with whatever the record holds: NULLs, conversions, and the error for a type it does not take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wire.pipelines.expressions.errors import mismatch
from wire.pipelines.expressions.tree import Function
from wire.pipelines.expressions.values import KIND_CLASSES, Kind, kind_of, type_name

_Convert = Callable[[Any], Any]


def dispatcher(function: Function, count: int) -> Callable[..., Any]:
    """Return a strict function for `count` arguments of any type.

    NULL for any argument gives NULL; an argument is converted where its parameter says how; any other type fails with
    `expression.type_mismatch`.
    """
    impl = function.impl
    tables = [_table(function, index) for index in range(count)]

    def call(*args: Any) -> Any:
        if None in args and any(arg is None for arg in args):
            return None
        ready = []
        for value, table in zip(args, tables, strict=True):
            convert = table.get(value.__class__, _MISSING)
            if convert is _MISSING:
                raise _refused(function, value)
            ready.append(value if convert is None else convert(value))
        return impl(*ready)

    def call_one(value: Any) -> Any:
        if value is None:
            return None
        convert = tables[0].get(value.__class__, _MISSING)
        if convert is _MISSING:
            raise _refused(function, value)
        return impl(value if convert is None else convert(value))

    return call_one if count == 1 else call


def _missing(_: Any) -> Any: ...


_MISSING: _Convert = _missing


def _table(function: Function, index: int) -> dict[type, _Convert | None]:
    arg = function.arg(index)
    taken: dict[type, _Convert | None] = {cls: None for kind, cls in KIND_CLASSES.items() if kind & arg.kinds}
    return {**arg.convert, **taken}


def _refused(function: Function, value: Any) -> Exception:
    accepts_text = any(arg.kinds & Kind.TEXT for arg in function.args)
    hint = None
    if accepts_text and kind_of(value) is not Kind.TEXT:
        hint = "convert it first, such as CAST(x AS VARCHAR)"
    elif kind_of(value) is Kind.TEXT:
        hint = "convert it first, such as CAST(x AS DOUBLE)"
    return mismatch(f"function {function.name}", type_name(value), hint=hint)
