"""From the expression tree to Python source.

The source is one Python expression per SQL expression. The usual cases (BIGINT and DOUBLE arithmetic, comparing a
field with a literal, text functions on text) are written in line behind a check of the operands' classes, without a
call; everything else (NULL, mixed types, errors) goes to the helpers, so the helpers alone define the semantics and
the inline code is only ever a shortcut to the same result. A simple comparison costs tens of nanoseconds, arithmetic
little more, a call about a hundred.

I10: the source holds nothing a user wrote: names and text enter through `Scope.field`, `Scope.constant` and `ascii()`
of str, int and float literals.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, assert_never

from wire.pipelines.expressions import shortcuts
from wire.pipelines.expressions.arithmetic import attempt
from wire.pipelines.expressions.comparison import in_list
from wire.pipelines.expressions.dispatch import dispatcher
from wire.pipelines.expressions.kinds import kinds_of
from wire.pipelines.expressions.operators import ARITHMETIC, COMPARISON, CONCAT, boolean
from wire.pipelines.expressions.scope import Scope
from wire.pipelines.expressions.tree import (
    And,
    Between,
    Call,
    Case,
    Coalesce,
    Compound,
    Field,
    Function,
    InList,
    IsNull,
    ListOf,
    Literal,
    Local,
    Meta,
    Node,
    Not,
    Or,
    SimpleCase,
    StructOf,
    Try,
)
from wire.pipelines.expressions.values import KIND_CLASSES, Kind

INVERSE: Final = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


class Operand(NamedTuple):
    """Source of a value in two forms: `first` evaluates it, `again` reads what `first` left behind."""

    first: str
    again: str
    kinds: Kind


class Emitter:
    """Writes the source of one expression into a scope."""

    def __init__(self, scope: Scope) -> None:
        """Write into `scope`."""
        self.scope = scope

    def value(self, node: Node) -> str:
        """Return source of the SQL value, None for NULL."""
        match node:
            case Literal(value=value):
                return self.literal(value)
            case Local(name=name):
                return name
            case Field(name=name):
                return self.scope.field(name)
            case Meta(name=name):
                return self.scope.meta(name)
            case Call():
                return self._call(node)
            case _:
                return self._compound(node)

    def _compound(self, node: Compound) -> str:
        match node:
            case And() | Or() | Not():
                return self._logic(node)
            case IsNull(arg=arg):
                return f"({self.value(arg)} is None)"
            case Between():
                return self._between(node)
            case InList():
                return self._in_list(node)
            case Case(branches=branches, default=default):
                return f"({self._branches(branches, default)})"
            case SimpleCase():
                return self._simple_case(node)
            case Coalesce():
                return self._coalesce(node)
            case Try(arg=arg):
                return f"{self.helper(attempt)}(lambda: {self.value(arg)})"
            case ListOf(items=items):
                return f"[{', '.join(map(self.value, items))}]"
            case StructOf(names=names, items=items):
                pairs = zip(names, items, strict=True)
                return "{" + ", ".join(f"{name!a}: {self.value(item)}" for name, item in pairs) + "}"
            case _:
                assert_never(node)

    def truth(self, node: Node) -> str:
        """Return source that is truthy only where the condition is TRUE."""
        match node:
            case And(args=args):
                return f"({' and '.join(map(self.truth, args))})"
            case Or(args=args):
                return f"({' or '.join(map(self.truth, args))})"
            case Not(arg=arg):
                return self.falsity(arg)
            case Between(subject=subject, low=low, high=high):
                operand, at_least, at_most = self._bounds(subject, low, high)
                return f"({operand.first} is not None and {self.truth(at_least)} and {self.truth(at_most)})"
            case _:
                return self.condition(node)

    def falsity(self, node: Node) -> str:
        """Return source that is truthy only where the condition is FALSE."""
        match node:
            case And(args=args):
                return f"({' or '.join(map(self.falsity, args))})"
            case Or(args=args):
                return f"({' and '.join(map(self.falsity, args))})"
            case Not(arg=arg):
                return self.truth(arg)
            case IsNull(arg=arg):
                return f"({self.value(arg)} is not None)"
            case Between(subject=subject, low=low, high=high):
                operand, at_least, at_most = self._bounds(subject, low, high)
                return f"({operand.first} is not None and ({self.falsity(at_least)} or {self.falsity(at_most)}))"
            case Call(function=function, args=args, at=at) if function is COMPARISON.get(function.name):
                # The order of values is total (NaN included), so the opposite comparison is the negation.
                return self.value(Call(at, COMPARISON[INVERSE[function.name]], args))
            case _:
                return f"({self.condition(node)} is False)"

    def condition(self, node: Node) -> str:
        """Return source of the value as a condition: True, False or None."""
        source = self.value(node)
        kinds = kinds_of(node)
        if not kinds & ~(Kind.BOOL | Kind.NULL):
            return source
        if not kinds & Kind.BOOL:
            return f"{self.helper(boolean)}({source})"
        operand = self._operand(source, kinds)
        return f"({operand.again} if {operand.first}.__class__ is bool else {self.helper(boolean)}({operand.again}))"

    def literal(self, value: Any) -> str:
        """Return source of a constant."""
        match value:
            case None | bool():
                return repr(value)
            case str():
                return ascii(str(value))
            case int() if abs(value) < 2**64:
                return repr(value) if value >= 0 else f"({value})"
            case float() if value - value == 0:
                return repr(value) if value >= 0 and repr(value)[0] != "-" else f"({value!r})"
            case _:
                return self.scope.constant(value)

    def helper(self, function: Any) -> str:
        """Return the name of a function bound into the scope."""
        return self.scope.constant(function)

    def operand(self, node: Node) -> Operand:
        """Return a node's source in a form that can be used twice; what is a name already needs no local."""
        source = self.scope.constant(node.value) if isinstance(node, Literal) else self.value(node)
        return self._operand(source, kinds_of(node))

    def inline_operand(self, node: Node) -> Operand:
        """Return the same with literals as such, which Python takes in arithmetic but not before `is`."""
        if isinstance(node, Literal):
            source = self.literal(node.value)
            return Operand(source, source, kinds_of(node))
        return self.operand(node)

    def _operand(self, source: str, kinds: Kind) -> Operand:
        if source.isidentifier():
            return Operand(source, source, kinds)
        name = self.scope.local()
        return Operand(f"({name} := {source})", name, kinds)

    def _call(self, node: Call) -> str:
        function = node.function
        if function is COMPARISON.get(function.name):
            return shortcuts.comparison(self, node)
        if function is ARITHMETIC.get(function.name):
            return shortcuts.arithmetic(self, node)
        if function is CONCAT:
            return shortcuts.concat(self, node)
        if not function.strict:
            return f"{self.helper(function.impl)}({', '.join(map(self.value, node.args))})"
        return self._strict_call(node)

    def _strict_call(self, node: Call) -> str:
        function = node.function
        slow = self.helper(dispatcher(function, len(node.args)))
        classes = [function.arg(index).inline_class for index in range(len(node.args))]
        if not _can_inline(function, node.args, classes):
            return f"{slow}({', '.join(map(self.value, node.args))})"
        operands = [self.inline_operand(arg) for arg in node.args]
        checks = [
            f"({operand.first}.__class__ is {self._class(cls)})"
            for operand, cls in zip(operands, classes, strict=True)
            if KIND_CLASSES.get(operand.kinds) is not cls or operand.first != operand.again
        ]
        again = [operand.again for operand in operands]
        call = f"{self.helper(function.impl)}({', '.join(again)})"
        fast = function.inline.format(*again) if function.inline else call
        # `&` and not `and`: every operand is evaluated, for the slow call needs them all.
        conditions = [" & ".join(checks)] if checks else []
        conditions += [function.guard.format(*again)] if function.guard else []
        return f"({fast} if {' and '.join(conditions)} else {slow}({', '.join(again)}))" if conditions else fast

    def _class(self, cls: type | None) -> str:
        return cls.__name__ if cls is not None and cls in shortcuts.BUILT_IN else self.scope.constant(cls)

    def _logic(self, node: And | Or | Not) -> str:
        if isinstance(node, Not):
            operand = self._operand(self.condition(node.arg), Kind.BOOL | Kind.NULL)
            return f"(None if {operand.first} is None else not {operand.again})"
        decided = "False" if isinstance(node, And) else "True"
        operands = [self._operand(self.condition(arg), Kind.BOOL | Kind.NULL) for arg in node.args]
        decides = " or ".join(f"{operand.first} is {decided}" for operand in operands)
        unknown = " or ".join(f"{operand.again} is None" for operand in operands)
        return f"({decided} if {decides} else None if {unknown} else {decided != 'True'})"

    def _bounds(self, subject: Node, low: Node, high: Node) -> tuple[Operand, Node, Node]:
        operand = self.operand(subject)
        local = Local(subject.at, operand.again, operand.kinds & ~Kind.NULL)
        at_least = Call(low.at, COMPARISON[">="], (local, low))
        at_most = Call(high.at, COMPARISON["<="], (local, high))
        return operand, at_least, at_most

    def _between(self, node: Between) -> str:
        operand, at_least, at_most = self._bounds(node.subject, node.low, node.high)
        return f"(None if {operand.first} is None else {self.value(And(node.at, (at_least, at_most)))})"

    def _in_list(self, node: InList) -> str:
        operand = self.operand(node.subject)
        values = [option.value for option in node.options if isinstance(option, Literal)]
        classes = {value.__class__ for value in values}
        if len(values) == len(node.options) and classes in ({int}, {str}):
            (cls,) = classes
            known = self.scope.constant(frozenset(values))
            options = self.scope.constant(tuple(shortcuts.comparand(value) for value in values))
            slow = f"{self.helper(in_list)}({operand.again}, {options})"
            return f"({operand.again} in {known} if {operand.first}.__class__ is {cls.__name__} else {slow})"
        sources = ", ".join(shortcuts.comparand_source(self, option) for option in node.options)
        return f"{self.helper(in_list)}({operand.first}, ({sources},))"

    def _branches(self, branches: tuple[tuple[Node, Node], ...], default: Node) -> str:
        cases = "".join(f"{self.value(value)} if {self.truth(condition)} else " for condition, value in branches)
        return cases + self.value(default)

    def _simple_case(self, node: SimpleCase) -> str:
        operand = self.operand(node.subject)
        local = Local(node.subject.at, operand.again, operand.kinds)
        # The first condition evaluates the subject; a NULL subject equals nothing.
        source = f"{operand.first} is not None and "
        result = ""
        for when, then in node.branches:
            equal = self.truth(Call(when.at, COMPARISON["="], (local, when)))
            result += f"{self.value(then)} if {source}{equal} else "
            source = ""
        return f"({result}{self.value(node.default)})"

    def _coalesce(self, node: Coalesce) -> str:
        *firsts, last = node.args
        source = ""
        for arg in firsts:
            operand = self.operand(arg)
            source += f"{operand.again} if {operand.first} is not None else "
        return f"({source}{self.value(last)})"


def _can_inline(function: Function, args: tuple[Node, ...], classes: list[type | None]) -> bool:
    """Return whether there is one class to check for each argument, and literals are of it."""
    if None in classes or (not function.inline and any(arg.usual for arg in function.args)):
        return False
    literals = [(arg.value.__class__, cls) for arg, cls in zip(args, classes, strict=True) if isinstance(arg, Literal)]
    return all(found is cls for found, cls in literals)
