"""What kinds of values a node can give, as far as the text alone tells."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Final

from wire.pipelines.expressions.tree import (
    And,
    Between,
    Call,
    Case,
    Coalesce,
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
from wire.pipelines.expressions.values import Kind, kind_of

_META: Final = {
    "key": Kind.BLOB | Kind.NULL,
    "timestamp_ms": Kind.INT,
    "offset": Kind.INT,
    "partition": Kind.TEXT,
    "headers": Kind.ANY,
    "now_ms": Kind.INT,
}


def kinds_of(node: Node) -> Kind:
    """Return every kind the node's value may have."""
    match node:
        case Literal(value=value):
            return kind_of(value)
        case Call(function=function):
            strict_null = function.strict and any(kinds_of(arg) & Kind.NULL for arg in node.args)
            return function.returns | Kind.NULL if strict_null else function.returns
        case And() | Or() | Not() | Between() | InList():
            return Kind.BOOL | Kind.NULL
        case IsNull():
            return Kind.BOOL
        case Case(branches=branches, default=default) | SimpleCase(branches=branches, default=default):
            return _any_of(*(value for _, value in branches), default)
        case Coalesce(args=args):
            return _any_of(*args)
        case Meta(name=name):
            return _META[name]
        case Local(kinds=kinds):
            return kinds
        case Try(arg=arg):
            return kinds_of(arg) | Kind.NULL
        case ListOf():
            return Kind.LIST
        case StructOf():
            return Kind.STRUCT
        case _:
            return Kind.ANY


def _any_of(*nodes: Node) -> Kind:
    return reduce(or_, map(kinds_of, nodes))
