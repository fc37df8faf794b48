"""The inline source of operators: the usual operand classes without a call, the helper for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wire.pipelines.expressions.tree import Call, Literal, Node
from wire.pipelines.expressions.values import BIGINT_MAX, BIGINT_MIN, Kind, LiteralText

if TYPE_CHECKING:
    from wire.pipelines.expressions.codegen import Emitter, Operand

BUILT_IN: Final = frozenset({bool, bytes, dict, float, int, list, str})
_SWAPPED: Final = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_PYTHON: Final = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
# With a NaN on the left and a number on the right, as DuckDB orders them: NaN is the greatest.
_PYTHON_NAN: Final = {**_PYTHON, ">": "not {} <= {}", ">=": "not {} < {}"}
_EXACT: Final = 2**53
_MOST_JOINED: Final = 50
_SAME_CLASS: Final = frozenset({int, str, bool})
_BOUNDS: Final = f"{BIGINT_MIN} <= {{}} <= {BIGINT_MAX}"


def comparand(value: Any) -> Any:
    """Return a literal as the comparison helpers want it: text is marked as written in the expression."""
    return LiteralText(value) if value.__class__ is str else value


def comparand_source(emitter: Emitter, node: Node) -> str:
    """Return the source of one side of a comparison, for its helper."""
    if isinstance(node, Literal) and node.value.__class__ is str:
        return emitter.scope.constant(comparand(node.value))
    return emitter.value(node)


def comparison(emitter: Emitter, node: Call) -> str:
    """Return the source of `a < b` and its kind."""
    symbol, (left, right) = node.function.name, node.args
    if isinstance(left, Literal):
        from wire.pipelines.expressions.operators import COMPARISON

        symbol = _SWAPPED[symbol]
        left, right = right, left
        helper = emitter.helper(COMPARISON[symbol].impl)
    else:
        helper = emitter.helper(node.function.impl)
    if isinstance(right, Literal):
        return _compare_literal(emitter, symbol, helper, left, right)
    a, b = emitter.operand(left), emitter.operand(right)
    classes = emitter.scope.constant(_SAME_CLASS)
    fast = f"{a.again} {_PYTHON[symbol]} {b.again}"
    same = f"{a.first}.__class__ is {b.first}.__class__ and {a.again}.__class__ in {classes}"
    return f"({fast} if {same} else {helper}({a.again}, {b.again}))"


def _compare_literal(emitter: Emitter, symbol: str, helper: str, left: Node, right: Literal) -> str:
    value = right.value
    a = emitter.operand(left)
    source = emitter.literal(value)
    slow = f"{helper}({a.again}, {comparand_source(emitter, right)})"
    fast = f"{a.again} {_PYTHON[symbol]} {source}"
    nan = _PYTHON_NAN[symbol]
    fast_float = nan.format(a.again, source) if "{" in nan else fast
    match value:
        case bool():
            return f"({fast} if {a.first}.__class__ is bool else {slow})"
        case int() if abs(value) <= _EXACT:
            return (
                f"({fast} if {a.first}.__class__ is int else {fast_float} if {a.again}.__class__ is float else {slow})"
            )
        case float() if value - value == 0:
            small = f"{a.again}.__class__ is int and -{_EXACT} <= {a.again} <= {_EXACT}"
            return f"({fast_float} if {a.first}.__class__ is float or {small} else {slow})"
        case str():
            return f"({fast} if {a.first}.__class__ is str else {slow})"
        case _:
            return f"{helper}({a.first}, {comparand_source(emitter, right)})"


def arithmetic(emitter: Emitter, node: Call) -> str:
    """Return the source of `a + b` and its kind."""
    symbol, helper = node.function.name, emitter.helper(node.function.impl)
    left, right = node.args
    a, b = emitter.inline_operand(left), emitter.inline_operand(right)
    slow = f"{helper}({a.again}, {b.again})"
    if not (a.kinds & Kind.NUMBER and b.kinds & Kind.NUMBER):
        return f"{helper}({a.first}, {b.first})"
    constant = right.value if isinstance(right, Literal) else None
    if symbol in ("//", "%"):
        if constant.__class__ is int and constant > 0:
            return f"({a.again} {symbol} {b.again} if {a.first}.__class__ is int and {a.again} >= 0 else {slow})"
        return f"{helper}({a.first}, {b.first})"
    if symbol == "/":
        return _divide(a, constant, slow) if constant.__class__ in (int, float) else f"{helper}({a.first}, {b.first})"
    return _sum(emitter, symbol, (left, right), (a, b), slow)


def _divide(a: Operand, constant: float, slow: str) -> str:
    try:
        divisor = float(constant)
    except OverflowError:
        divisor = 0.0
    if divisor == 0 or divisor - divisor != 0:
        return slow.replace(a.again, a.first, 1) if a.first != a.again else slow
    bigint = f"{a.again}.__class__ is int and {_BOUNDS.format(a.again)}"
    return f"({a.again} / ({divisor!r}) if {a.first}.__class__ is float or {bigint} else {slow})"


def _sum(emitter: Emitter, symbol: str, nodes: tuple[Node, Node], operands: tuple[Operand, Operand], slow: str) -> str:
    a, b = operands
    result = f"{a.again} {symbol} {b.again}"
    literal = next((node.value for node in nodes if isinstance(node, Literal)), None)
    other = b if isinstance(nodes[0], Literal) else a
    if literal.__class__ is float and literal - literal == 0:
        bigint = f"{other.again}.__class__ is int and {_BOUNDS.format(other.again)}"
        return f"({result} if {other.first}.__class__ is float or {bigint} else {slow})"
    local = emitter.scope.local()
    bounded = _BOUNDS.format(f"({local} := {result})")
    if literal.__class__ is int:
        ints, floats = f"{other.first}.__class__ is int", f"{other.again}.__class__ is float"
    else:
        ints = f"{a.first}.__class__ is {b.first}.__class__ is int"
        floats = f"{a.again}.__class__ is {b.again}.__class__ is float"
    return f"({local} if {ints} and {bounded} else {result} if {floats} else {slow})"


def concat(emitter: Emitter, node: Call) -> str:
    """Return the source of `a || b || …`: one f-string where everything is text or BIGINT."""
    if len(node.args) > _MOST_JOINED:
        return f"{emitter.helper(node.function.impl)}({', '.join(map(emitter.value, node.args))})"
    operands = [emitter.inline_operand(arg) for arg in node.args]
    helper = emitter.helper(node.function.impl)
    slow = f"{helper}({', '.join(operand.again for operand in operands)})"
    joined, checks = "", []
    plain = emitter.scope.constant(frozenset({str, int}))
    for arg, operand in zip(node.args, operands, strict=True):
        if isinstance(arg, Literal) and arg.value.__class__ is str:
            joined += arg.value.replace("{", "{{").replace("}", "}}")
            continue
        joined += f"{{{operand.again}}}"
        if not isinstance(arg, Literal) or arg.value.__class__ is not int:
            checks.append(f"({operand.first}.__class__ in {plain})")
    if any(isinstance(arg, Literal) and arg.value.__class__ not in (str, int) for arg in node.args):
        return f"{helper}({', '.join(operand.first for operand in operands)})"
    return f"(f{joined!a} if {' & '.join(checks)} else {slow})" if checks else slow
