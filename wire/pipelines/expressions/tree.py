"""The expression tree: what the parser makes and the code generator reads. Every node knows where it stood (`at`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wire.pipelines.expressions.values import KIND_CLASSES, NO_KIND, Kind


@dataclass(frozen=True, slots=True)
class Arg:
    """One parameter of a function.

    It takes values of `kinds` as they are, and of the classes in `convert` (whose kinds are `converted`) after
    converting them. Where it takes several kinds, `usual` is the one the function's inline source is for.
    """

    name: str
    kinds: Kind
    convert: Mapping[type, Callable[[Any], Any]] = field(default_factory=dict)
    converted: Kind = NO_KIND
    usual: Kind = NO_KIND

    @property
    def inline_class(self) -> type | None:
        """The class inline code is for: the usual one, or the only one; None if there are several."""
        return KIND_CLASSES.get(self.usual or self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """What is known about a function or operator; calls, lint and the reference page come from it.

    `impl` is called with values of the declared kinds only. With `strict`, a NULL argument gives NULL without a call;
    otherwise `impl` sees NULLs as None. `inline` is Python source for `{0}`, `{1}`… used in place of the call when the
    arguments are of their inline classes and `guard`, a further condition, holds. `checks` validates literal
    arguments when the expression is read. A `variadic` function repeats its last parameter.
    """

    name: str
    args: tuple[Arg, ...]
    impl: Callable[..., Any]
    returns: Kind
    doc: str = ""
    example: tuple[str, str] | None = None
    aliases: tuple[str, ...] = ()
    required: int = -1
    variadic: bool = False
    strict: bool = True
    inline: str | None = None
    guard: str | None = None
    meta: str | None = None
    checks: Mapping[int, Callable[[Any], object]] = field(default_factory=dict)

    def arg(self, index: int) -> Arg:
        """Return the parameter the argument at `index` belongs to."""
        return self.args[min(index, len(self.args) - 1)]

    @property
    def least(self) -> int:
        """The smallest number of arguments."""
        return len(self.args) if self.required < 0 else self.required

    @property
    def most(self) -> int | None:
        """The largest number of arguments, None if there is no end."""
        return None if self.variadic else len(self.args)


@dataclass(frozen=True, slots=True)
class _Node:
    """Base of all nodes; `at` is the offset in the text, in characters from 0."""

    at: int


@dataclass(frozen=True, slots=True)
class Literal(_Node):
    """A constant, or what was folded into one."""

    value: Any


@dataclass(frozen=True, slots=True)
class Field(_Node):
    """A top-level field of the record; NULL where the record has none of that name."""

    name: str


@dataclass(frozen=True, slots=True)
class Meta(_Node):
    """Something about the record that is not in its value, named as in `Scope.meta`."""

    name: str


@dataclass(frozen=True, slots=True)
class Call(_Node):
    """A function or operator applied to arguments."""

    function: Function
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class And(_Node):
    """Three-valued AND over two or more conditions, from left to right until one is FALSE."""

    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or(_Node):
    """Three-valued OR over two or more conditions, from left to right until one is TRUE."""

    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not(_Node):
    """Three-valued NOT."""

    arg: Node


@dataclass(frozen=True, slots=True)
class IsNull(_Node):
    """TRUE or FALSE, never NULL."""

    arg: Node


@dataclass(frozen=True, slots=True)
class Between(_Node):
    """`subject BETWEEN low AND high`, the subject evaluated once."""

    subject: Node
    low: Node
    high: Node


@dataclass(frozen=True, slots=True)
class InList(_Node):
    """`subject IN (options)`."""

    subject: Node
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Case(_Node):
    """CASE WHEN: the value of the first branch whose condition is TRUE, else the default."""

    branches: tuple[tuple[Node, Node], ...]
    default: Node


@dataclass(frozen=True, slots=True)
class SimpleCase(_Node):
    """CASE subject WHEN: the value of the first branch that equals the subject, else the default."""

    subject: Node
    branches: tuple[tuple[Node, Node], ...]
    default: Node


@dataclass(frozen=True, slots=True)
class Coalesce(_Node):
    """The first argument that is not NULL; the rest is not evaluated."""

    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Try(_Node):
    """NULL where evaluating the argument fails."""

    arg: Node


@dataclass(frozen=True, slots=True)
class ListOf(_Node):
    """A list literal."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class StructOf(_Node):
    """A struct literal."""

    names: tuple[str, ...]
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Local(_Node):
    """A value the generated code already holds in a local variable; only the code generator makes these."""

    name: str
    kinds: Kind


Compound: TypeAlias = (
    And | Or | Not | IsNull | Between | InList | Case | SimpleCase | Coalesce | Try | ListOf | StructOf
)
Node: TypeAlias = Literal | Field | Meta | Local | Call | Compound


def children(node: Node) -> list[Node]:
    """Return the nodes directly below `node`, in the order they are evaluated."""
    found: list[Node] = []
    stack = [getattr(node, slot.name) for slot in reversed(dataclasses.fields(node))]
    while stack:
        top = stack.pop()
        if isinstance(top, Node):
            found.append(top)
        elif isinstance(top, tuple):
            stack.extend(reversed(top))
    return found
