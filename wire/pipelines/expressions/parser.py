"""Reading expressions and select lists. sqlglot is imported with the first text that is read, not before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.pipelines.expressions.errors import ExpressionError
from wire.pipelines.expressions.tree import Field, Meta, Node, children

if TYPE_CHECKING:
    from sqlglot import exp

    from wire.pipelines.expressions.lower import Lowering


@dataclass(frozen=True, slots=True)
class Parsed:
    """An expression that was read and checked: its text and its tree."""

    text: str
    node: Node

    @property
    def fields(self) -> frozenset[str]:
        """The top-level fields of the record it reads. Names match exactly, in case too, as JSON's do."""
        return frozenset(node.name for node in self._walk() if isinstance(node, Field))

    @property
    def metas(self) -> frozenset[str]:
        """What it reads of the record's metadata, by the names `Scope.meta` is asked for."""
        return frozenset(node.name for node in self._walk() if isinstance(node, Meta))

    def _walk(self) -> list[Node]:
        found = [self.node]
        for node in found:
            found += children(node)
        return found


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One item of a select list.

    With `name` None it is `*`: every field the record has, in its order, without those in `exclude`, those in
    `replace` computed instead where they stand. Otherwise a field `name` with the value of `expression`. After a `*`,
    an item whose name the record already has replaces it in its place; a new one comes last.
    """

    name: str | None
    expression: Parsed | None = None
    exclude: frozenset[str] = frozenset()
    replace: tuple[tuple[str, Parsed], ...] = ()


def parse(text: str) -> Parsed:
    """Read one expression. Raises ExpressionError with the place of the first fault."""
    from wire.pipelines.expressions.grammar import parse_condition
    from wire.pipelines.expressions.lower import Lowering

    tree = parse_condition(text)
    return Parsed(text, Lowering(text).node(tree))


def parse_select(text: str) -> list[SelectItem]:
    """Read a select list: `*, a * 2 AS b, c`. Raises ExpressionError with the place of the first fault."""
    from wire.pipelines.expressions.grammar import parse_select as parse_tree
    from wire.pipelines.expressions.lower import Lowering

    tree = parse_tree(text)
    lowering = Lowering(text)
    extra = next((name for name, value in tree.args.items() if value and name not in ("expressions", "kind")), None)
    if extra:
        raise _refused(lowering, extra, tree.args[extra])
    items = [_item(lowering, item) for item in tree.expressions]
    _check_names(lowering, tree.expressions, items)
    return items


def _refused(lowering: Lowering, name: str, clause: object) -> ExpressionError:
    from sqlglot import exp

    word = name.rstrip("_").upper()
    hint = "use the filter transform" if word == "WHERE" else None
    at = lowering.at(clause) if isinstance(clause, exp.Expr) else 0
    message = f"a select list has no {word}: it only says what each record keeps"
    return lowering.error("expression.not_allowed", message, at, hint)


def _item(lowering: Lowering, tree: exp.Expr) -> SelectItem:
    from sqlglot import exp

    match tree:
        case exp.Star():
            return _star(lowering, tree)
        case exp.Alias():
            return SelectItem(tree.alias, _parsed(lowering, tree.this))
        case exp.Column() if not isinstance(tree.this, exp.Star):
            return SelectItem(tree.name, _parsed(lowering, tree))
        case exp.Dot(expression=exp.Identifier() as last):
            return SelectItem(last.name, _parsed(lowering, tree))
        case _:
            parsed = _parsed(lowering, tree)
            hint = "write AS and a name behind it"
            raise lowering.error("expression.no_name", "this needs a name", parsed.node.at, hint)


def _parsed(lowering: Lowering, tree: exp.Expr) -> Parsed:
    return Parsed(lowering.text, lowering.node(tree))


def _star(lowering: Lowering, tree: exp.Expr) -> SelectItem:
    if tree.args.get("rename"):
        hint = "use the rename transform"
        raise lowering.error("expression.not_allowed", "RENAME is not supported here", lowering.at(tree), hint)
    exclude = frozenset(column.name for column in tree.args.get("except_") or ())
    replace = tuple((item.alias, _parsed(lowering, item.this)) for item in tree.args.get("replace") or ())
    return SelectItem(None, None, exclude, replace)


def _check_names(lowering: Lowering, trees: list[exp.Expr], items: list[SelectItem]) -> None:
    seen: set[str | None] = set()
    for tree, item in zip(trees, items, strict=True):
        if item.name in seen:
            what = "`*`" if item.name is None else f"the name {item.name}"
            raise lowering.error("expression.duplicate_name", f"{what} is given twice", lowering.at(tree))
        seen.add(item.name)


__all__ = ["ExpressionError", "Parsed", "SelectItem", "parse", "parse_select"]
