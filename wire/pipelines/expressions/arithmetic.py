"""Arithmetic as DuckDB does it. The generated code does BIGINT and DOUBLE in line and calls these for the rest.

BIGINT results outside 64 bits are an error; an operand that is itself beyond 64 bits makes it HUGEINT arithmetic with
128. `/` gives DOUBLE, division by zero included (±inf or nan); `//` and `%` round towards zero and fail on an integer
zero. DECIMAL with BIGINT gives DECIMAL, with DOUBLE gives DOUBLE. A BOOLEAN is no number.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

from wire.core.errors import RecordError
from wire.pipelines.expressions.errors import domain, mismatch, overflow
from wire.pipelines.expressions.functions.declare import midnight, to_double
from wire.pipelines.expressions.moments import spread
from wire.pipelines.expressions.values import (
    BIGINT_MAX,
    BIGINT_MIN,
    HUGEINT_MAX,
    HUGEINT_MIN,
    MICROS_PER_DAY,
    Interval,
    type_name,
)

_Operation = Callable[[Any, Any], Any]
_NUMBERS: Final = frozenset({int, float, Decimal})


def fits(result: int, a: int, b: int, what: str) -> int:
    """Return `result` if it fits the type `a` and `b` make together, else fail."""
    if BIGINT_MIN <= result <= BIGINT_MAX:
        return result
    both_bigint = BIGINT_MIN <= a <= BIGINT_MAX and BIGINT_MIN <= b <= BIGINT_MAX
    if both_bigint or not HUGEINT_MIN <= result <= HUGEINT_MAX:
        raise overflow(what)
    return result


def refuse(symbol: str, a: Any, b: Any) -> NoReturn:
    """Fail: the operator does not take these types."""
    hint = "convert it first, such as CAST(x AS BIGINT)" if str in (a.__class__, b.__class__) else None
    raise mismatch(f"operator {symbol}", f"{type_name(a)} and {type_name(b)}", hint=hint)


def _operator(symbol: str, ints: _Operation, floats: _Operation, decimals: _Operation, other: _Operation) -> _Operation:
    def operate(a: Any, b: Any) -> Any:
        if a is None or b is None:
            return None
        left, right = a.__class__, b.__class__
        if left is int is right:
            return ints(a, b)
        if left not in _NUMBERS or right not in _NUMBERS:
            return other(a, b)
        if float in (left, right):
            return floats(to_double(a), to_double(b))
        try:
            return decimals(Decimal(a), Decimal(b))
        except (InvalidOperation, ArithmeticError):
            raise overflow(f"the result of {symbol} as DECIMAL") from None

    operate.__name__ = operate.__qualname__ = symbol
    return operate


def _int_divide(a: int, b: int) -> int:
    if b == 0:
        raise domain("division by zero")
    quotient = abs(a) // abs(b)
    return fits(quotient if (a < 0) == (b < 0) else -quotient, a, b, "the result of //")


def _int_modulo(a: int, b: int) -> int:
    if b == 0:
        raise domain("division by zero")
    if b == -1 and a == BIGINT_MIN:
        raise overflow("the result of %")  # as DuckDB, where the division it goes with overflows
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def _float_divide(a: float, b: float) -> float:
    if b != 0:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _float_int_divide(a: float, b: float) -> float:
    if b == 0:
        raise domain("division by zero")
    return a / b


def _float_modulo(a: float, b: float) -> float:
    return math.nan if b == 0 or math.isinf(a) else math.fmod(a, b)


def _decimal_modulo(a: Decimal, b: Decimal) -> Decimal:
    if b == 0:
        raise domain("division by zero")
    return a % b


def _add_other(a: Any, b: Any) -> Any:
    match a, b:
        case Interval(), Interval():
            return spread(a.months + b.months, a.days + b.days, a.micros + b.micros)
        case (dt.date(), Interval()):
            return shift(a, b)
        case (Interval(), dt.date()):
            return shift(b, a)
        case (dt.time(), dt.date()):
            return _add_other(b, a)
    if b.__class__ is dt.date:
        a, b = b, a
    if a.__class__ is dt.date and b.__class__ is int:
        return _shift_days(a, b)
    if a.__class__ is dt.date and b.__class__ is dt.time:
        return dt.datetime.combine(a, b)
    refuse("+", a, b)


def _subtract_other(a: Any, b: Any) -> Any:
    left, right = a.__class__, b.__class__
    if right is Interval and left in (dt.date, dt.datetime, Interval):
        return _add_other(a, negate(b))
    if left is dt.date and right is int:
        return _shift_days(a, -b)
    if left is dt.date is right:
        return (a - b).days
    if left in (dt.date, dt.datetime) and right in (dt.date, dt.datetime):
        return between(a if left is dt.datetime else midnight(a), b if right is dt.datetime else midnight(b))
    refuse("-", a, b)


def _multiply_other(a: Any, b: Any) -> Any:
    span, factor = (a, b) if a.__class__ is Interval else (b, a)
    if span.__class__ is Interval and factor.__class__ in (int, float):
        return spread(span.months * factor, span.days * factor, span.micros * factor)
    refuse("*", a, b)


def _divide_other(a: Any, b: Any) -> Any:
    if a.__class__ is not Interval or b.__class__ not in (int, float):
        refuse("/", a, b)
    if b == 0:
        raise domain("division by zero")
    return spread(a.months / b, a.days / b, a.micros / b)


def between(later: dt.datetime, earlier: dt.datetime) -> Interval:
    """Return the interval from `earlier` to `later`, in days and microseconds of one sign."""
    micros = (later - earlier) // dt.timedelta(microseconds=1)
    days = abs(micros) // MICROS_PER_DAY
    days = days if micros >= 0 else -days
    return Interval(0, days, micros - days * MICROS_PER_DAY)


def shift(moment: dt.date, by: Interval) -> dt.datetime:
    """Return the moment moved by an interval; a month's end stays within its month. A DATE counts as its midnight."""
    start = moment if isinstance(moment, dt.datetime) else midnight(moment)
    try:
        if by.months:
            months = start.year * 12 + start.month - 1 + by.months
            year, month = divmod(months, 12)
            start = start.replace(year=year, month=month + 1, day=min(start.day, _month_days(year, month + 1)))
        return start + dt.timedelta(days=by.days, microseconds=by.micros)
    except (OverflowError, ValueError):
        raise overflow("the TIMESTAMP") from None


def _month_days(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1] if 1 <= year <= 9999 else 28


def _shift_days(day: dt.date, days: int) -> dt.date:
    try:
        return day + dt.timedelta(days=days)
    except OverflowError:
        raise overflow("the DATE") from None


add = _operator(
    "+", lambda a, b: fits(a + b, a, b, "the result of +"), lambda a, b: a + b, lambda a, b: a + b, _add_other
)
subtract = _operator(
    "-", lambda a, b: fits(a - b, a, b, "the result of -"), lambda a, b: a - b, lambda a, b: a - b, _subtract_other
)
multiply = _operator(
    "*", lambda a, b: fits(a * b, a, b, "the result of *"), lambda a, b: a * b, lambda a, b: a * b, _multiply_other
)
divide = _operator(
    "/",
    lambda a, b: _float_divide(to_double(a), to_double(b)),
    _float_divide,
    lambda a, b: _float_divide(float(a), float(b)),
    _divide_other,
)
int_divide = _operator(
    "//",
    _int_divide,
    _float_int_divide,
    lambda a, b: _float_int_divide(float(a), float(b)),
    lambda a, b: refuse("//", a, b),
)
modulo = _operator("%", _int_modulo, _float_modulo, _decimal_modulo, lambda a, b: refuse("%", a, b))


def negate(value: Any) -> Any:
    """Return `-value`; NULL for NULL."""
    match value:
        case None:
            return None
        case bool():
            raise mismatch("operator -", "BOOLEAN")
        case int():
            return fits(-value, value, 0, "the result of -")
        case float() | Decimal():
            return -value
        case Interval():
            return Interval(-value.months, -value.days, -value.micros)
        case _:
            raise mismatch("operator -", type_name(value))


def bit_shift_left(a: int, b: int) -> int:
    """Return `a << b` as DuckDB limits it: no negative operand, no bit lost."""
    if a < 0 or b < 0:
        raise overflow("a left shift of or by a negative number")
    if b >= 64 and a:
        raise overflow(f"a left shift by {b}")
    return fits(a << min(b, 64), a, b, "the result of <<")


def bit_shift_right(a: int, b: int) -> int:
    """Return `a >> b`, 0 where every bit is shifted out or the distance is negative."""
    return 0 if b < 0 or b >= 64 else a >> b


def power(a: float, b: float) -> float:
    """Return `a ** b` as DOUBLE: inf where it overflows, nan where it is not a real number (C's pow)."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and math.fmod(b, 2) != 0 else math.inf
    except ValueError:
        return math.nan if a != 0 else math.copysign(math.inf, a) if math.fmod(b, 2) != 0 else math.inf


def attempt(evaluate: Callable[[], Any]) -> Any:
    """Return what `evaluate` gives, NULL where the record makes it fail."""
    try:
        return evaluate()
    except RecordError:
        return None
