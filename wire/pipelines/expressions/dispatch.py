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

    def ready(value: Any, table: dict[type, _Convert | None]) -> Any:
        convert = table.get(value.__class__, _MISSING)
        if convert is None:
            return value
        if convert is _MISSING:
            raise _refused(function, value)
        return convert(value)

    def call_one(a: Any) -> Any:
        return None if a is None else impl(ready(a, tables[0]))

    def call_two(a: Any, b: Any) -> Any:
        return None if a is None or b is None else impl(ready(a, tables[0]), ready(b, tables[1]))

    def call(*args: Any) -> Any:
        if None in args:
            return None
        return impl(*[ready(value, table) for value, table in zip(args, tables, strict=True)])

    return call_one if count == 1 else call_two if count == 2 else call


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
