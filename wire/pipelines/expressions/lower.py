"""From sqlglot's tree to ours: only what is listed here passes; everything else is refused with its place (I10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlglot import exp

from wire.core.errors import RecordError
from wire.pipelines.expressions import operators, typenames
from wire.pipelines.expressions.calls import Calls
from wire.pipelines.expressions.dispatch import dispatcher
from wire.pipelines.expressions.errors import ExpressionError, did_you_mean
from wire.pipelines.expressions.functions import patterns
from wire.pipelines.expressions.functions.structs import SLICE, SUBSCRIPT
from wire.pipelines.expressions.functions.times import INTERVAL_OF
from wire.pipelines.expressions.grammar import too_complex
from wire.pipelines.expressions.kinds import kinds_of
from wire.pipelines.expressions.moments import UNITS, unit_name
from wire.pipelines.expressions.shortcuts import comparand
from wire.pipelines.expressions.tree import (
    And,
    Between,
    Call,
    Case,
    Field,
    Function,
    InList,
    IsNull,
    ListOf,
    Literal,
    Node,
    Not,
    Or,
    SimpleCase,
    StructOf,
)
from wire.pipelines.expressions.values import HUGEINT_MAX, Kind, kind_names

MAX_DEPTH: Final = 40
"""Levels of the tree. The source generated for each nests up to three parentheses; Python takes two hundred."""

_BINARY: Final[dict[type, Function]] = {
    exp.Add: operators.ARITHMETIC["+"],
    exp.Sub: operators.ARITHMETIC["-"],
    exp.Mul: operators.ARITHMETIC["*"],
    exp.Div: operators.ARITHMETIC["/"],
    exp.IntDiv: operators.ARITHMETIC["//"],
    exp.Mod: operators.ARITHMETIC["%"],
    exp.Pow: operators.POWER,
    exp.EQ: operators.COMPARISON["="],
    exp.NEQ: operators.COMPARISON["<>"],
    exp.LT: operators.COMPARISON["<"],
    exp.LTE: operators.COMPARISON["<="],
    exp.GT: operators.COMPARISON[">"],
    exp.GTE: operators.COMPARISON[">="],
    exp.NullSafeEQ: operators.NOT_DISTINCT,
    exp.NullSafeNEQ: operators.DISTINCT,
    exp.BitwiseAnd: operators.BITWISE["&"],
    exp.BitwiseOr: operators.BITWISE["|"],
    exp.BitwiseLeftShift: operators.BITWISE["<<"],
    exp.BitwiseRightShift: operators.BITWISE[">>"],
    exp.Like: patterns.LIKE,
    exp.ILike: patterns.ILIKE,
    exp.SimilarTo: patterns.SIMILAR_TO,
    exp.RegexpLike: patterns.REGEXP_MATCHES,
    exp.Glob: patterns.GLOB,
}
_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_NOT_ALLOWED: Final[tuple[tuple[type, str], ...]] = (
    (exp.Query, "subqueries"),
    (exp.Exists, "subqueries"),
    (exp.SubqueryPredicate, "subqueries"),
    (exp.Window, "window functions"),
    (exp.AggFunc, "aggregates"),
    (exp.Placeholder, "parameters"),
    (exp.Parameter, "parameters"),
    (exp.Lambda, "lambda functions"),
    (exp.Star, "`*`"),
    (exp.Tuple, "rows in parentheses"),
    (exp.Alias, "names given with AS"),
    (exp.AtTimeZone, "time zones"),
    (exp.Collate, "collations"),
)


class Lowering(Calls):
    """Turns the tree of one text into nodes, checking everything a text alone can tell."""

    def __init__(self, text: str) -> None:
        """Read an expression (or select list) whose whole text is `text`."""
        self.text = text
        self._depth = 0
        self._handlers: dict[type, Callable[[Any], Node]] = {
            exp.Paren: lambda node: self.node(node.this),
            exp.Literal: self._literal,
            exp.Null: lambda node: Literal(self.at(node), None),
            exp.Boolean: lambda node: Literal(self.at(node), bool(node.this)),
            exp.RawString: lambda node: Literal(self.at(node), str(node.this)),
            exp.Column: self._column,
            exp.Dot: self._dot,
            exp.Bracket: self._bracket,
            exp.And: lambda node: And(self.at(node), self._chain(node, exp.And)),
            exp.Or: lambda node: Or(self.at(node), self._chain(node, exp.Or)),
            exp.Not: lambda node: Not(self.at(node), self.node(node.this)),
            exp.DPipe: self._pipe,
            exp.Concat: lambda node: self.call(operators.CONCAT, self._all(node.expressions), self.at(node)),
            exp.Is: self._is,
            exp.In: self._in,
            exp.Between: self._between,
            exp.Case: self._case,
            exp.If: self._if,
            exp.Cast: self._cast,
            exp.TryCast: self._cast,
            exp.ParseJSON: lambda node: self.call(operators.CASTS["JSON"], (self.node(node.this),), self.at(node)),
            exp.Neg: self._negate,
            exp.BitwiseNot: lambda node: self.call(operators.BIT_NOT, (self.node(node.this),), self.at(node)),
            exp.Interval: self._interval,
            exp.Array: lambda node: ListOf(self.at(node), self._all(node.expressions)),
            exp.Struct: self._struct,
            exp.Escape: self._escape,
            exp.Anonymous: self.anonymous,
            exp.Abs: lambda node: self.named("abs", (self.node(node.this),), self.at(node)),
            exp.Extract: self.extract,
            exp.Substring: self.substring,
            exp.Trim: self.trim,
            exp.StrPosition: self.position,
            exp.StartsWith: lambda node: self.named("starts_with", self._sides(node), self.at(node)),
            exp.JSONExtract: lambda node: self.named("json_extract", self._sides(node), self.at(node)),
            exp.JSONExtractScalar: lambda node: self.named("json_extract_string", self._sides(node), self.at(node)),
            exp.CurrentTimestamp: lambda node: self.named("now", (), self.at(node)),
            exp.CurrentDate: lambda node: self.named("today", (), self.at(node)),
        }

    def node(self, node: exp.Expr) -> Node:
        """Return our node for one of sqlglot's. Raises ExpressionError."""
        self._depth += not isinstance(node, exp.Paren)
        if self._depth > MAX_DEPTH:
            raise too_complex(self.text, self.at(node))
        kind = type(node)
        if kind in _BINARY:
            result = self._binary(node, _BINARY[kind])
        elif kind in self._handlers:
            result = self._handlers[kind](node)
        else:
            raise self._refused(node)
        self._depth -= not isinstance(node, exp.Paren)
        return result

    def at(self, node: exp.Expr) -> int:
        """Return where a node starts in the text, as closely as sqlglot tells."""
        own = node.meta.get("start") if node._meta else None
        if own is not None:
            return int(own)
        starts = (child._meta.get("start") for child in node.walk() if child._meta)
        return min((int(start) for start in starts if start is not None), default=0)

    def error(self, code: str, message: str, at: int, hint: str | None = None) -> ExpressionError:
        """Return an error at an offset of the text."""
        return ExpressionError(code, message, text=self.text, at=at, hint=hint)

    def call(self, function: Function, args: tuple[Node, ...], at: int) -> Node:
        """Return a checked call, folded into a literal where every argument is one."""
        checked = tuple(self._argument(function, index, arg) for index, arg in enumerate(args))
        nulls = [arg for arg in checked if isinstance(arg, Literal) and arg.value is None]
        if nulls and function.strict:
            return Literal(at, None)
        if all(isinstance(arg, Literal) for arg in checked):
            return self._fold(function, checked, at)
        return Call(at, function, checked)

    def _argument(self, function: Function, index: int, node: Node) -> Node:
        """Return the argument if the function may take it; a literal as the function takes it."""
        arg, found = function.arg(index), kinds_of(node)
        taken = arg.kinds | arg.converted | Kind.NULL
        if not found & taken:
            message = f"{function.name} takes {kind_names(taken)} here, not {kind_names(found)}"
            raise self.error("expression.wrong_arguments", message, node.at)
        if not isinstance(node, Literal) or node.value is None:
            return node
        try:
            if index in function.checks:
                function.checks[index](node.value)
            convert = arg.convert.get(node.value.__class__)
            return node if convert is None or found & arg.kinds else Literal(node.at, convert(node.value))
        except RecordError as exc:
            raise self.error("expression.wrong_arguments", exc.message, node.at, exc.hint) from exc

    def _fold(self, function: Function, args: tuple[Node, ...], at: int) -> Node:
        values = [arg.value for arg in args if isinstance(arg, Literal)]
        if function in operators.COMPARISON.values() or function in (operators.DISTINCT, operators.NOT_DISTINCT):
            values = [comparand(value) for value in values]
        run = dispatcher(function, len(args)) if function.strict else function.impl
        try:
            return Literal(at, run(*values))
        except RecordError as exc:
            raise self.error(exc.code, f"this can't be computed: {exc.message}", at, exc.hint) from exc

    def _refused(self, node: exp.Expr) -> ExpressionError:
        what = next((words for kind, words in _NOT_ALLOWED if isinstance(node, kind)), None)
        message = f"{what or type(node).__name__.lower()} can't be used in an expression over one record"
        return self.error("expression.not_allowed", message, self.at(node))

    def _all(self, nodes: list[exp.Expr]) -> tuple[Node, ...]:
        return tuple(map(self.node, nodes))

    def _sides(self, node: exp.Expr) -> tuple[Node, Node]:
        return self.node(node.this), self.node(node.expression)

    def _pipe(self, node: exp.DPipe) -> Node:
        for side in (node.this, node.expression):
            if isinstance(side, (exp.JSONExtract, exp.JSONExtractScalar)):
                # DuckDB reads a ->> ('b' || 'c'), sqlglot (a ->> 'b') || 'c'.
                hint = "write (a ->> 'b') || c"
                raise self.error("expression.syntax", "it is unclear what the arrow applies to", self.at(side), hint)
        return self.call(operators.CONCAT, self._chain(node, exp.DPipe), self.at(node))

    def _chain(self, node: exp.Expr, kind: type[exp.Expr]) -> tuple[Node, ...]:
        """Return the operands of `a AND b AND c`, which sqlglot nests to the left, without recursion."""
        operands = []
        while isinstance(node, kind):
            operands.append(node.expression)
            node = node.this
        return self._all([node, *reversed(operands)])

    def _literal(self, node: exp.Literal) -> Node:
        text, at = str(node.this), self.at(node)
        if node.is_string:
            return Literal(at, text)
        if not text.isdigit():
            return Literal(at, float(text))
        if len(text) > 39 or int(text) > HUGEINT_MAX:
            raise self.error("expression.overflow", f"{text[:50]} is larger than any integer type", at)
        return Literal(at, int(text))

    def _column(self, node: exp.Column) -> Node:
        parts = node.parts
        if any(isinstance(part, exp.Star) for part in parts):
            raise self._refused(exp.Star())
        result: Node = Field(self.at(parts[0]), parts[0].name)
        for part in parts[1:]:
            result = self.member(result, part.name, self.at(part))
        return result

    def _dot(self, node: exp.Dot) -> Node:
        name = node.expression
        if isinstance(name, exp.Anonymous):
            hint = f"write {name.name}({node.this.sql(dialect='duckdb')}, …)"
            raise self.error("expression.not_allowed", "a function can't follow a dot", self.at(name), hint)
        if not isinstance(name, exp.Identifier):
            raise self._refused(name)
        return self.member(self.node(node.this), name.name, self.at(name))

    def member(self, parent: Node, name: str, at: int) -> Node:
        """Return `parent.name`."""
        return self.named("struct_extract", (parent, Literal(at, name)), at)

    def _bracket(self, node: exp.Bracket) -> Node:
        at = self.at(node)
        if len(node.expressions) != 1:
            raise self.error("expression.syntax", "expected one index or slice", at)
        index = node.expressions[0]
        if isinstance(index, exp.Slice):
            ends = [self.node(end) if end else Literal(at, None) for end in (index.this, index.expression)]
            given = [Literal(at, bool(end)) for end in (index.this, index.expression)]
            if index.args.get("step"):
                raise self.error("expression.not_allowed", "slices take no step", at)
            return self.call(SLICE, (self.node(node.this), *ends, *given), at)
        return self.call(SUBSCRIPT, (self.node(node.this), self.node(index)), at)

    def _binary(self, node: exp.Expr, function: Function) -> Node:
        if isinstance(node, _COMPARISONS) and isinstance(node.this, _COMPARISONS):
            hint = "write a < b AND b < c"
            raise self.error("expression.syntax", "comparisons can't be chained", self.at(node.expression), hint)
        if isinstance(node.this, exp.BitwiseNot) and function.name in operators.ARITHMETIC:
            # DuckDB reads ~(x + 1), sqlglot (~x) + 1: neither is what everyone expects.
            raise self.error("expression.syntax", "it is unclear what ~ applies to", self.at(node), "write (~x) + y")
        result = self.call(function, self._sides(node), self.at(node))
        return Not(result.at, result) if node.args.get("negate") else result

    def _escape(self, node: exp.Escape) -> Node:
        inner = node.this
        function = {exp.Like: patterns.LIKE, exp.ILike: patterns.ILIKE}.get(type(inner))
        if function is None:
            raise self._refused(node)
        escaping = patterns.ESCAPING[function.name]
        result = self.call(escaping, (*self._sides(inner), self.node(node.expression)), self.at(node))
        return Not(result.at, result) if inner.args.get("negate") else result

    def _is(self, node: exp.Is) -> Node:
        subject, at = self.node(node.this), self.at(node)
        match node.expression:
            case exp.Null():
                return Literal(at, subject.value is None) if isinstance(subject, Literal) else IsNull(at, subject)
            case exp.Boolean() as truth:
                return self.call(operators.IS_TRUE if truth.this else operators.IS_FALSE, (subject,), at)
            case other:
                raise self.error("expression.syntax", "expected NULL, TRUE or FALSE after IS", self.at(other))

    def _in(self, node: exp.In) -> Node:
        at = self.at(node)
        if node.args.get("query") or node.args.get("unnest"):
            raise self.error("expression.not_allowed", "subqueries can't be used in an expression over one record", at)
        if node.args.get("field"):
            return self.named("list_contains", (self.node(node.args["field"]), self.node(node.this)), at)
        options = self._all(node.expressions)
        if not options:
            raise self.error("expression.syntax", "IN needs at least one value", at)
        return InList(at, self.node(node.this), options)

    def _between(self, node: exp.Between) -> Node:
        if node.args.get("symmetric"):
            raise self.error("expression.not_allowed", "BETWEEN SYMMETRIC is not supported", self.at(node))
        low, high = self.node(node.args["low"]), self.node(node.args["high"])
        return Between(self.at(node), self.node(node.this), low, high)

    def _case(self, node: exp.Case) -> Node:
        at, default = self.at(node), node.args.get("default")
        branches = tuple((self.node(branch.this), self.node(branch.args["true"])) for branch in node.args["ifs"])
        other = self.node(default) if default else Literal(at, None)
        if not branches:
            raise self.error("expression.syntax", "CASE needs at least one WHEN", at)
        return SimpleCase(at, self.node(node.this), branches, other) if node.this else Case(at, branches, other)

    def _if(self, node: exp.If) -> Node:
        at, default = self.at(node), node.args.get("false")
        other = self.node(default) if default else Literal(at, None)
        return Case(at, ((self.node(node.this), self.node(node.args["true"])),), other)

    def _cast(self, node: exp.Cast) -> Node:
        at, to = self.at(node), node.args["to"]
        function = typenames.cast_function(to, lenient=isinstance(node, exp.TryCast))
        if function is None:
            name = typenames.target_name(to)
            hint = did_you_mean(name, [known.lower() for known in typenames.KNOWN])
            raise self.error("expression.unknown_type", f"there is no type {name}", at, hint)
        return self.call(function, (self.node(node.this),), at)

    def _negate(self, node: exp.Neg) -> Node:
        return self.call(operators.NEGATE, (self.node(node.this),), self.at(node))

    def _interval(self, node: exp.Interval) -> Node:
        at, unit = self.at(node), node.args.get("unit")
        amount = self.node(node.this)
        if unit is None:
            return self.call(operators.CASTS["INTERVAL"], (amount,), at)
        name = unit_name(unit.name) if isinstance(unit, exp.Var) else None
        if name is None:
            hint = did_you_mean(unit.name, UNITS)
            raise self.error("expression.wrong_arguments", f"{unit.name or 'this'} is no unit of time", at, hint)
        if isinstance(amount, Literal) and isinstance(amount.value, str):
            return self.call(operators.CASTS["INTERVAL"], (Literal(at, f"{amount.value} {name}"),), at)
        return self.call(INTERVAL_OF, (amount, Literal(at, name)), at)

    def _struct(self, node: exp.Struct) -> Node:
        at, names = self.at(node), [pair.this.name for pair in node.expressions if isinstance(pair, exp.PropertyEQ)]
        if len(names) != len(node.expressions):
            raise self.error("expression.syntax", "expected {'name': value, …}", at)
        if len(set(names)) != len(names):
            raise self.error("expression.wrong_arguments", "a field is given twice", at)
        return StructOf(at, tuple(names), self._all([pair.expression for pair in node.expressions]))
