"""Numeric functions. They take any number and give DOUBLE unless the table says otherwise."""

# ruff: noqa: E501 (the table has one row per function)

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from wire.pipelines.expressions.arithmetic import divide, fits, modulo, power
from wire.pipelines.expressions.errors import overflow
from wire.pipelines.expressions.functions.declare import double, integer, number, to_double
from wire.pipelines.expressions.tree import Function
from wire.pipelines.expressions.values import Kind

_HALF: Final = 0.5
_EXACT: Final = Context(prec=120)


def absolute(x: Any) -> Any:
    """Return the size without the sign."""
    return fits(abs(x), x, 0, "the result of abs") if x.__class__ is int else abs(x)


def _whole(rounding: str, float_whole: Callable[[float], int]) -> Callable[[Any], Any]:
    def impl(x: Any) -> Any:
        if x.__class__ is Decimal:
            return x.to_integral_value(rounding)
        x = to_double(x)
        return math.copysign(float(float_whole(x)), x) if x - x == 0 else x

    return impl


ceiling: Final = _whole(ROUND_CEILING, math.ceil)
floor: Final = _whole(ROUND_FLOOR, math.floor)


def truncate(x: Any) -> Any:
    """Drop the fraction; the type stays."""
    if x.__class__ is int:
        return x
    if x.__class__ is Decimal:
        return x.to_integral_value(ROUND_DOWN)
    return math.copysign(float(math.trunc(x)), x) if x - x == 0 else x


def round_to(x: Any, digits: int = 0) -> Any:
    """Round half away from zero; the type stays."""
    if x.__class__ is int:
        return _round_int(x, digits)
    if x.__class__ is Decimal:
        return _round_decimal(x, digits)
    return _round_float(x, digits)


def _round_decimal(x: Decimal, digits: int) -> Decimal:
    exponent = x.as_tuple().exponent
    if isinstance(exponent, int) and -exponent <= digits:
        return x
    return x.quantize(Decimal(1).scaleb(-max(digits, -38)), ROUND_HALF_UP, _EXACT)


def _round_int(x: int, digits: int) -> int:
    if digits >= 0:
        return x
    if digits < -38:
        return 0
    step: int = 10**-digits
    rounded = (abs(x) + step // 2) // step * step
    return fits(rounded if x >= 0 else -rounded, x, 0, "the result of round")


def _half_away(x: float) -> float:
    whole = math.floor(abs(x))
    return math.copysign(float(whole + (abs(x) - whole >= _HALF)), x)


def _round_float(x: float, digits: int) -> float:
    """Scale, round half away from zero, scale back; the number itself where that leaves the range (as DuckDB)."""
    if x - x != 0:
        return x
    if digits == 0:
        return _half_away(x)
    try:
        scale = math.pow(10.0, abs(digits))
    except OverflowError:
        return 0.0 if digits < 0 else x
    scaled = x / scale if digits < 0 else x * scale
    if scaled - scaled != 0:
        return 0.0 if digits < 0 else x
    rounded = _half_away(scaled) * scale if digits < 0 else _half_away(scaled) / scale
    return rounded if rounded - rounded == 0 else x


def sign(x: Any) -> int:
    """Return -1, 0 or 1."""
    return int(x > 0) - int(x < 0)


def _real(function: Callable[[float], float]) -> Callable[[float], float]:
    """Make a function of `math` give inf and nan where C's gives them, instead of raising."""

    def impl(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return impl


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    def impl(x: float) -> float:
        return -math.inf if x == 0 else math.nan if x < 0 else function(x)

    return impl


_LOG10: Final = _logarithm(math.log10)


def logarithm(x: float, y: float | None = None) -> float:
    """Return the logarithm to base 10, or of `y` to base `x`."""
    if y is None:
        return _LOG10(x)
    return divide(_LOG10(y), _LOG10(x))  # type: ignore[no-any-return]


def hyperbolic_sine(x: float) -> float:
    """Return sinh, infinite with the sign of `x` where it overflows."""
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(math.inf, x)


def factorial(x: int) -> int:
    """Return x!."""
    if x > 33:
        raise overflow(f"the factorial of {x}")
    return math.factorial(x) if x > 1 else 1


_EXAMPLES: Final = {
    "exp": ("exp(0)", "1.0"), "sqrt": ("sqrt(9)", "3.0"), "cbrt": ("cbrt(8)", "2.0"), "ln": ("ln(1)", "0.0"),
    "log2": ("log2(8)", "3.0"), "log10": ("log10(100)", "2.0"), "sin": ("sin(0)", "0.0"), "cos": ("cos(0)", "1.0"),
    "tan": ("tan(0)", "0.0"), "cot": ("cot(1)", "0.6420926159343306"), "asin": ("asin(0)", "0.0"),
    "acos": ("acos(1)", "0.0"), "atan": ("atan(0)", "0.0"), "sinh": ("sinh(0)", "0.0"), "cosh": ("cosh(0)", "1.0"),
    "tanh": ("tanh(0)", "0.0"), "degrees": ("degrees(pi())", "180.0"), "radians": ("radians(180)", "3.141592653589793"),
}  # fmt: skip


def _one(name: str, impl: Callable[[float], float], doc: str, *aliases: str) -> Function:
    return Function(
        name=name, args=(double("x"),), impl=impl, returns=Kind.FLOAT, doc=doc, aliases=aliases, example=_EXAMPLES[name]
    )


def _test(name: str, impl: Callable[[float], bool], doc: str, example: tuple[str, str]) -> Function:
    return Function(name=name, args=(double("x"),), impl=impl, returns=Kind.BOOL, doc=doc, example=example)


FUNCTIONS: Final = (
    Function(name="abs", args=(number("x"),), impl=absolute, returns=Kind.NUMBER, doc="Size without sign; the type stays. Also `@x`.", example=("abs(-3)", "3")),
    Function(name="ceil", args=(number("x"),), impl=ceiling, returns=Kind.FLOAT | Kind.DECIMAL, aliases=("ceiling",), doc="Round up.", example=("ceil(1.2)", "2.0")),
    Function(name="floor", args=(number("x"),), impl=floor, returns=Kind.FLOAT | Kind.DECIMAL, doc="Round down.", example=("floor(1.8)", "1.0")),
    Function(name="round", args=(number("x"), integer("digits")), required=1, impl=round_to, returns=Kind.NUMBER, doc="Round half away from zero, to digits after the point (before it, if negative); the type stays.", example=("round(2.345, 2)", "2.35")),
    Function(name="trunc", args=(number("x"),), impl=truncate, returns=Kind.NUMBER, doc="Drop the fraction; the type stays.", example=("trunc(-1.8)", "-1.0")),
    Function(name="sign", args=(number("x"),), impl=sign, returns=Kind.INT, doc="-1, 0 or 1.", example=("sign(-3.5)", "-1")),
    Function(name="mod", args=(number("x"), number("y")), impl=modulo, returns=Kind.NUMBER, doc="Same as `x % y`.", example=("mod(-7, 2)", "-1")),
    Function(name="pow", args=(double("x"), double("y")), impl=power, returns=Kind.FLOAT, aliases=("power",), doc="Same as `x ** y`: inf where it overflows.", example=("pow(2, 10)", "1024.0")),
    _one("exp", _real(math.exp), "e to the power of x."),
    _one("sqrt", _real(math.sqrt), "Square root; nan for a negative number."),
    _one("cbrt", math.cbrt, "Cube root."),
    _one("ln", _logarithm(math.log), "Natural logarithm: -inf for 0, nan below."),
    Function(name="log", args=(double("x"), double("y")), required=1, impl=logarithm, returns=Kind.FLOAT, doc="Logarithm to base 10; with two arguments of y to base x.", example=("log(2, 8)", "3.0")),
    _one("log2", _logarithm(math.log2), "Logarithm to base 2."),
    _one("log10", _LOG10, "Logarithm to base 10."),
    _one("sin", _real(math.sin), "Sine."),
    _one("cos", _real(math.cos), "Cosine."),
    _one("tan", _real(math.tan), "Tangent."),
    _one("cot", _real(lambda x: 1 / math.tan(x) if x else math.copysign(math.inf, x)), "Cotangent."),
    _one("asin", _real(math.asin), "Arc sine; nan outside -1 to 1."),
    _one("acos", _real(math.acos), "Arc cosine; nan outside -1 to 1."),
    _one("atan", math.atan, "Arc tangent."),
    Function(name="atan2", args=(double("y"), double("x")), impl=math.atan2, returns=Kind.FLOAT, doc="Angle of the point (x, y).", example=("atan2(0, 1)", "0.0")),
    _one("sinh", hyperbolic_sine, "Hyperbolic sine."),
    _one("cosh", _real(math.cosh), "Hyperbolic cosine."),
    _one("tanh", math.tanh, "Hyperbolic tangent."),
    _one("degrees", math.degrees, "Radians to degrees."),
    _one("radians", math.radians, "Degrees to radians."),
    Function(name="pi", args=(), impl=lambda: math.pi, returns=Kind.FLOAT, doc="The number π.", example=("pi()", "3.141592653589793")),
    _test("isnan", math.isnan, "Whether a number is nan.", ("isnan(0.0 / 0)", "true")),
    _test("isinf", math.isinf, "Whether a number is infinite.", ("isinf(1 / 0)", "true")),
    _test("isfinite", math.isfinite, "Whether a number is neither infinite nor nan.", ("isfinite(1.5)", "true")),
    Function(name="gcd", args=(integer("x"), integer("y")), impl=math.gcd, returns=Kind.INT, aliases=("greatest_common_divisor",), doc="Greatest common divisor.", example=("gcd(12, 18)", "6")),
    Function(name="factorial", args=(integer("x"),), impl=factorial, returns=Kind.INT, doc="x!, up to 33.", example=("factorial(5)", "120")),
    Function(name="xor", args=(integer("x"), integer("y")), impl=int.__xor__, inline="({0} ^ {1})", returns=Kind.INT, doc="Bits that are set in one of the two.", example=("xor(5, 3)", "6")),
    Function(name="bit_count", args=(integer("x"),), impl=lambda x: (x & (2**64 - 1)).bit_count(), returns=Kind.INT, doc="Number of bits that are set.", example=("bit_count(5)", "2")),
)  # fmt: skip
