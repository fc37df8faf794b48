"""Function calls: by name from the tables, and the few with a syntax or an evaluation of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlglot import exp

from wire.pipelines.expressions.errors import ExpressionError, did_you_mean
from wire.pipelines.expressions.functions.table import FUNCTIONS
from wire.pipelines.expressions.tree import Case, Coalesce, Function, ListOf, Literal, Meta, Node, StructOf, Try

AGGREGATES: Final = frozenset({
    "any_value", "arg_max", "arg_min", "array_agg", "avg", "bit_and", "bit_or", "bool_and", "bool_or", "count",
    "first", "last", "list", "max", "mean", "median", "min", "mode", "product", "stddev", "string_agg", "sum",
    "variance",
})  # fmt: skip
SPECIAL_FORMS: Final = ("coalesce", "ifnull", "if", "try", "list_value", "struct_pack")


class Calls:
    """The half of the lowering that knows functions; the other half is its subclass `Lowering`."""

    node: Callable[[exp.Expr], Node]
    at: Callable[[exp.Expr], int]
    call: Callable[[Function, tuple[Node, ...], int], Node]
    error: Callable[..., ExpressionError]

    def anonymous(self, node: exp.Anonymous) -> Node:
        """Return a call written as `name(arguments)`."""
        name, at = node.name.lower(), self.at(node)
        if name == "struct_pack":
            return self._struct_pack(node.expressions, at)
        if name in AGGREGATES and name not in FUNCTIONS:
            message = f"{name} is an aggregate: it needs many records, an expression sees one"
            raise self.error("expression.not_allowed", message, at)
        args = tuple(map(self.node, node.expressions))
        if name in SPECIAL_FORMS:
            return self._special(name, args, at)
        return self.named(name, args, at)

    def named(self, name: str, args: tuple[Node, ...], at: int) -> Node:
        """Return a call of a function in the tables."""
        function = FUNCTIONS.get(name)
        if function is None:
            hint = did_you_mean(name, [*FUNCTIONS, *SPECIAL_FORMS]) or "the reference lists every function"
            raise self.error("expression.unknown_function", f"there is no function {name}", at, hint)
        if function.meta:
            hidden = Meta(at, function.meta)
            self._check_count(name, args, function.least - 1, len(function.args) - 1, at)
            return self.call(function, (hidden, *args), at)
        self._check_count(name, args, function.least, function.most, at)
        return self.call(function, args, at)

    def _check_count(self, name: str, args: tuple[Node, ...], least: int, most: int | None, at: int) -> None:
        if len(args) >= least and (most is None or len(args) <= most):
            return
        wanted = f"at least {least}" if most is None else str(least) if least == most else f"{least} to {most}"
        message = f"{name} takes {wanted} argument{'' if wanted == '1' else 's'}, not {len(args)}"
        raise self.error("expression.wrong_arguments", message, at)

    def _special(self, name: str, args: tuple[Node, ...], at: int) -> Node:
        match name:
            case "coalesce" | "ifnull":
                self._check_count(name, args, 1 if name == "coalesce" else 2, None if name == "coalesce" else 2, at)
                return Coalesce(at, args)
            case "if":
                self._check_count(name, args, 2, 3, at)
                return Case(at, ((args[0], args[1]),), args[2] if len(args) > 2 else Literal(at, None))
            case "try":
                self._check_count(name, args, 1, 1, at)
                return Try(at, args[0])
            case _:
                return ListOf(at, args)

    def _struct_pack(self, pairs: list[exp.Expr], at: int) -> Node:
        if not all(isinstance(pair, exp.PropertyEQ) for pair in pairs):
            raise self.error("expression.syntax", "expected struct_pack(name := value, …)", at)
        names = tuple(pair.this.name for pair in pairs)
        return StructOf(at, names, tuple(self.node(pair.expression) for pair in pairs))

    def extract(self, node: exp.Extract) -> Node:
        """Return `EXTRACT(part FROM x)`."""
        at = self.at(node)
        return self.named("date_part", (Literal(at, node.name.lower()), self.node(node.expression)), at)

    def substring(self, node: exp.Substring) -> Node:
        """Return `SUBSTRING(x FROM start FOR length)`."""
        args = [node.this, node.args.get("start"), node.args.get("length")]
        return self.named("substring", tuple(self.node(arg) for arg in args if arg), self.at(node))

    def trim(self, node: exp.Trim) -> Node:
        """Return `TRIM(BOTH characters FROM x)`."""
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
        args = [node.this, node.expression]
        return self.named(name, tuple(self.node(arg) for arg in args if arg), self.at(node))

    def position(self, node: exp.StrPosition) -> Node:
        """Return `POSITION(needle IN x)`."""
        return self.named("strpos", (self.node(node.this), self.node(node.args["substr"])), self.at(node))
