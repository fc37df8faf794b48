"""The operators, declared like functions; the code generator writes the common cases of most of them in line."""

from __future__ import annotations

from typing import Any, Final

from wire.pipelines.expressions import arithmetic, comparison
from wire.pipelines.expressions.casts import SIMPLE, Cast, to_boolean
from wire.pipelines.expressions.errors import mismatch
from wire.pipelines.expressions.functions.declare import any_value, double, integer
from wire.pipelines.expressions.texts import concat_operator
from wire.pipelines.expressions.tree import Arg, Function
from wire.pipelines.expressions.values import KIND_CLASSES, Kind, type_name

_BOOL: Final = Kind.BOOL | Kind.NULL
_SCALED: Final = Kind.NUMBER | Kind.NULL | Kind.INTERVAL
_SUMS: Final = Kind.NUMBER | Kind.NULL | Kind.MOMENT | Kind.INTERVAL


def _binary(symbol: str, impl: Any, returns: Kind, takes: Kind = Kind.ANY) -> Function:
    args = (Arg("a", takes), Arg("b", takes))
    return Function(name=symbol, args=args, impl=impl, returns=returns, strict=False)


ARITHMETIC: Final = {
    "+": _binary("+", arithmetic.add, _SUMS, _SUMS | Kind.TIME),
    "-": _binary("-", arithmetic.subtract, _SUMS, _SUMS),
    "*": _binary("*", arithmetic.multiply, _SCALED, _SCALED),
    "/": _binary("/", arithmetic.divide, Kind.FLOAT | Kind.NULL | Kind.INTERVAL, _SCALED),
    "//": _binary("//", arithmetic.int_divide, Kind.INT | Kind.FLOAT | Kind.NULL, Kind.NUMBER),
    "%": _binary("%", arithmetic.modulo, Kind.NUMBER | Kind.NULL, Kind.NUMBER),
}
COMPARISON: Final = {
    "=": _binary("=", comparison.eq, _BOOL),
    "<>": _binary("<>", comparison.ne, _BOOL),
    "<": _binary("<", comparison.lt, _BOOL),
    "<=": _binary("<=", comparison.le, _BOOL),
    ">": _binary(">", comparison.gt, _BOOL),
    ">=": _binary(">=", comparison.ge, _BOOL),
}
DISTINCT: Final = _binary("IS DISTINCT FROM", comparison.distinct, Kind.BOOL)
NOT_DISTINCT: Final = _binary("IS NOT DISTINCT FROM", comparison.not_distinct, Kind.BOOL)
NEGATE: Final = Function(name="-", args=(Arg("x", _SCALED),), impl=arithmetic.negate, returns=_SCALED, strict=False)
CONCAT: Final = Function(
    name="||",
    args=(any_value("a"), any_value("b")),
    impl=concat_operator,
    returns=Kind.TEXT | Kind.LIST | Kind.NULL,
    variadic=True,
    strict=False,
)


def _is(value: Any, wanted: bool) -> bool:
    return boolean(value) is wanted


IS_TRUE: Final = Function(
    name="IS TRUE", args=(any_value("x"),), impl=lambda value: _is(value, True), returns=Kind.BOOL, strict=False
)
IS_FALSE: Final = Function(
    name="IS FALSE", args=(any_value("x"),), impl=lambda value: _is(value, False), returns=Kind.BOOL, strict=False
)

BITWISE: Final = {
    "&": Function(
        name="&", args=(integer("a"), integer("b")), impl=int.__and__, inline="({0} & {1})", returns=Kind.INT
    ),
    "|": Function(name="|", args=(integer("a"), integer("b")), impl=int.__or__, inline="({0} | {1})", returns=Kind.INT),
    "<<": Function(name="<<", args=(integer("a"), integer("b")), impl=arithmetic.bit_shift_left, returns=Kind.INT),
    ">>": Function(name=">>", args=(integer("a"), integer("b")), impl=arithmetic.bit_shift_right, returns=Kind.INT),
}
BIT_NOT: Final = Function(name="~", args=(integer("x"),), impl=int.__invert__, inline="(~{0})", returns=Kind.INT)
POWER: Final = Function(name="**", args=(double("a"), double("b")), impl=arithmetic.power, returns=Kind.FLOAT)


def boolean(value: Any) -> bool | None:
    """Return a value as the condition it stands for; numbers and text as CAST does, other types are refused."""
    if value is None or value.__class__ is bool:
        return value
    if value.__class__ in (int, float, str):
        return to_boolean(value)
    raise mismatch("a condition", type_name(value))


_RESULTS: Final = {
    "BOOLEAN": Kind.BOOL,
    "FLOAT": Kind.FLOAT,
    "DOUBLE": Kind.FLOAT,
    "VARCHAR": Kind.TEXT,
    "DATE": Kind.DATE,
    "TIME": Kind.TIME,
    "TIMESTAMP": Kind.TIMESTAMP,
    "TIMESTAMPTZ": Kind.TIMESTAMP,
    "INTERVAL": Kind.INTERVAL,
    "BLOB": Kind.BLOB,
    "JSON": Kind.ANY,
    "DECIMAL": Kind.DECIMAL,
    "LIST": Kind.LIST,
}
_UNCHANGED: Final = frozenset({"BOOLEAN", "DOUBLE", "VARCHAR", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL"})


def cast_to(target: str, cast: Cast) -> Function:
    """Return CAST to a type as a function of one argument."""
    kind = _RESULTS.get(target, Kind.INT)
    own = KIND_CLASSES.get(kind)
    convert = {cls: cast for cls in KIND_CLASSES.values() if cls is not own}
    arg = Arg("x", kind, convert, Kind.ANY) if target in _UNCHANGED else any_value("x")
    impl = _same if target in _UNCHANGED else cast
    inline = "{0}" if target in _UNCHANGED else None
    return Function(name=f"CAST to {target}", args=(arg,), impl=impl, inline=inline, returns=kind)


def try_cast_to(target: str, cast: Cast) -> Function:
    """Return TRY_CAST to a type: NULL where CAST fails."""
    kind = _RESULTS.get(target, Kind.INT) | Kind.NULL

    def attempt(value: Any) -> Any:
        return arithmetic.attempt(lambda: cast(value))

    return Function(name=f"TRY_CAST to {target}", args=(any_value("x"),), impl=attempt, returns=kind)


def _same(value: Any) -> Any:
    return value


CASTS: Final = {target: cast_to(target, cast) for target, cast in SIMPLE.items()}
TRY_CASTS: Final = {target: try_cast_to(target, cast) for target, cast in SIMPLE.items()}
