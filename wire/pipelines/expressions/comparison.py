"""Comparison as DuckDB does it. The generated code compares equal classes in line and calls these for the rest.

NaN equals itself and is the greatest number. BIGINT with DOUBLE is compared as DOUBLE. A text literal becomes the
other side's type. Text from a record equals a number where it reads as one; ordering the two is refused. A moment
compared with text reads the text as ISO 8601. Lists compare item by item, structs field by field, NULL items last.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from wire.pipelines.expressions.casts import to_bigint, to_boolean, to_decimal
from wire.pipelines.expressions.casts import to_double as text_to_double
from wire.pipelines.expressions.errors import mismatch
from wire.pipelines.expressions.functions.declare import midnight, to_double
from wire.pipelines.expressions.moments import instant, time_of_day
from wire.pipelines.expressions.values import MICROS_PER_DAY, Interval, LiteralText, type_name

_NUMBERS: Final = frozenset({bool, int, float, Decimal})
_FROM_TEXT: Final[dict[type, Callable[[str], Any]]] = {
    bool: to_boolean,
    int: to_bigint,
    float: text_to_double,
    Decimal: to_decimal,
    dt.date: instant,
    dt.datetime: instant,
    dt.time: time_of_day,
}
_LOOSE: Final = frozenset({bool, int, float, Decimal})
"""What text from a record is converted to for `=` but not for `<`, as DuckDB has it."""


def order(a: Any, b: Any, symbol: str) -> int:
    """Return -1, 0 or 1 as `a` sorts before, with or after `b`; neither is NULL. Fails for types that don't compare."""
    left, right = a.__class__, b.__class__
    if left is not right:
        a, b = _unify(a, b, symbol)
        left = a.__class__
    if left is float:
        return _order_floats(a, b)
    if left is list:
        return _order_lists(a, b)
    if left is dict:
        return _order_structs(a, b)
    if left is Interval:
        a, b = _interval_micros(a), _interval_micros(b)
    try:
        return int(a > b) - int(a < b)
    except TypeError:
        raise _incomparable(a, b, symbol) from None


def _order_floats(a: float, b: float) -> int:
    if a == b:
        return 0
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) - math.isnan(b)
    return -1 if a < b else 1


def _order_lists(a: Sequence[Any], b: Sequence[Any]) -> int:
    for x, y in zip(a, b, strict=False):
        result = _order_items(x, y)
        if result:
            return result
    return (len(a) > len(b)) - (len(a) < len(b))


def _order_structs(a: dict[str, Any], b: dict[str, Any]) -> int:
    if a.keys() != b.keys():
        raise mismatch("a comparison", "STRUCTs with different fields")
    return _order_lists(list(a.values()), [b[name] for name in a])


def _order_items(a: Any, b: Any) -> int:
    if a is None or b is None:
        return (a is None) - (b is None)
    return order(a, b, "=")


def _interval_micros(value: Interval) -> int:
    return (value.months * 30 + value.days) * MICROS_PER_DAY + value.micros


def _incomparable(a: Any, b: Any, symbol: str) -> Exception:
    hint = "convert one side first, such as CAST(x AS BIGINT)"
    return mismatch(f"operator {symbol}", f"{type_name(a)} and {type_name(b)}", hint=hint)


def _unify(a: Any, b: Any, symbol: str) -> tuple[Any, Any]:
    left, right = a.__class__, b.__class__
    if left in _NUMBERS and right in _NUMBERS:
        return _unify_numbers(a, b)
    if left is LiteralText or left is str:
        return _read_as(a, b, symbol), _widen(b)
    if right is LiteralText or right is str:
        return _widen(a), _read_as(b, a, symbol)
    if dt.date in (left, right) and dt.datetime in (left, right):
        return _widen(a), _widen(b)
    raise _incomparable(a, b, symbol)


def _unify_numbers(a: Any, b: Any) -> tuple[Any, Any]:
    if float in (a.__class__, b.__class__):
        return to_double(a), to_double(b)
    return (int(a) if a.__class__ is bool else a), (int(b) if b.__class__ is bool else b)


def _read_as(value: str, other: Any, symbol: str) -> Any:
    kind = other.__class__
    if kind is str or kind is LiteralText:
        return value
    read = _FROM_TEXT.get(kind)
    if read is None or (value.__class__ is str and kind in _LOOSE and symbol not in ("=", "<>")):
        raise _incomparable(value, other, symbol)
    return read(value)


def _widen(value: Any) -> Any:
    return midnight(value) if value.__class__ is dt.date else value


def eq(a: Any, b: Any) -> bool | None:
    """Return `a = b`."""
    return None if a is None or b is None else order(a, b, "=") == 0


def ne(a: Any, b: Any) -> bool | None:
    """Return `a <> b`."""
    return None if a is None or b is None else order(a, b, "<>") != 0


def lt(a: Any, b: Any) -> bool | None:
    """Return `a < b`."""
    return None if a is None or b is None else order(a, b, "<") < 0


def le(a: Any, b: Any) -> bool | None:
    """Return `a <= b`."""
    return None if a is None or b is None else order(a, b, "<=") <= 0


def gt(a: Any, b: Any) -> bool | None:
    """Return `a > b`."""
    return None if a is None or b is None else order(a, b, ">") > 0


def ge(a: Any, b: Any) -> bool | None:
    """Return `a >= b`."""
    return None if a is None or b is None else order(a, b, ">=") >= 0


def distinct(a: Any, b: Any) -> bool:
    """Return `a IS DISTINCT FROM b`: never NULL, two NULLs are not distinct."""
    if a is None or b is None:
        return a is not b
    return order(a, b, "<>") != 0


def not_distinct(a: Any, b: Any) -> bool:
    """Return `a IS NOT DISTINCT FROM b`."""
    return not distinct(a, b)


def in_list(subject: Any, options: Sequence[Any]) -> bool | None:
    """Return `subject IN (options)`: NULL where nothing matches and something is NULL."""
    if subject is None:
        return None
    unknown = False
    for option in options:
        if option is None:
            unknown = True
        elif order(subject, option, "=") == 0:
            return True
    return None if unknown else False


def nullif(a: Any, b: Any) -> Any:
    """Return NULL if `a = b`, else `a`."""
    return None if eq(a, b) else a


def greatest(*values: Any) -> Any:
    """Return the greatest value that is not NULL, NULL if all are."""
    return _extreme(values, 1)


def least(*values: Any) -> Any:
    """Return the least value that is not NULL, NULL if all are."""
    return _extreme(values, -1)


def _extreme(values: Sequence[Any], sign: int) -> Any:
    best = None
    for value in values:
        if value is not None and (best is None or order(value, best, ">") == sign):
            best = value
    return best
