"""List functions. Positions count from 1. Items of types that don't compare are never equal."""

# ruff: noqa: E501 (the table has one row per function)

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from wire.core.errors import RecordError
from wire.pipelines.expressions.arithmetic import add
from wire.pipelines.expressions.comparison import order
from wire.pipelines.expressions.errors import mismatch
from wire.pipelines.expressions.functions.declare import any_value, items, text, to_double
from wire.pipelines.expressions.functions.strings import joined
from wire.pipelines.expressions.functions.structs import SUBSCRIPT, slice_of
from wire.pipelines.expressions.texts import to_text
from wire.pipelines.expressions.tree import Arg, Function
from wire.pipelines.expressions.values import Kind, type_name


def _equal(a: Any, b: Any) -> bool:
    if a.__class__ is b.__class__ and a.__class__ in (int, str, bool):
        return bool(a == b)
    try:
        return order(a, b, "<") == 0
    except RecordError:
        return False


def position(values: list[Any], value: Any) -> int | None:
    """Return where the value first is, NULL if it is not in the list."""
    for index, item in enumerate(values, 1):
        if item is not None and _equal(item, value):
            return index
    return None


def contains(values: list[Any], value: Any) -> bool:
    """Return whether the value is in the list."""
    return position(values, value) is not None


def contains_either(where: Any, what: Any) -> bool:
    """Return whether text contains text, or a list an item."""
    if where.__class__ is list:
        return contains(where, what)
    if what.__class__ is not str:
        raise mismatch("function contains", f"VARCHAR and {type_name(what)}")
    return what in where


def _sort(reverse: bool) -> Callable[[list[Any]], list[Any]]:
    key = functools.cmp_to_key(lambda a, b: order(a, b, "<"))

    def impl(values: list[Any]) -> list[Any]:
        present = sorted((value for value in values if value is not None), key=key, reverse=reverse)
        return present + [None] * (len(values) - len(present))

    return impl


def distinct(values: list[Any]) -> list[Any]:
    """Return each value once, in the order of their first appearance, without NULL."""
    seen: dict[Any, None] = {}
    kept: list[Any] = []
    for value in values:
        if value.__class__ in (int, str):
            if (value.__class__, value) in seen:
                continue
            seen[value.__class__, value] = None
        elif value is None or any(_equal(other, value) for other in kept):
            continue
        kept.append(value)
    return kept


def total(values: list[Any]) -> Any:
    """Return the sum of what is not NULL, NULL if nothing is."""
    present = [value for value in values if value is not None]
    return functools.reduce(add, present) if present else None


def average(values: list[Any]) -> float | None:
    """Return the mean of what is not NULL, NULL if nothing is."""
    present = [value for value in values if value is not None]
    for value in present:
        if value.__class__ not in (int, float, Decimal):
            raise mismatch("function list_avg", f"a list with {type_name(value)}")
    return sum(map(to_double, present)) / len(present) if present else None


def _extreme(sign: int) -> Callable[[list[Any]], Any]:
    def pick(best: Any, value: Any) -> Any:
        return value if order(value, best, "<") == sign else best

    def impl(values: list[Any]) -> Any:
        present = [value for value in values if value is not None]
        return functools.reduce(pick, present) if present else None

    return impl


def flatten(values: list[Any]) -> list[Any]:
    """Return the items of the lists in a list."""
    flat: list[Any] = []
    for value in values:
        if value is not None and value.__class__ is not list:
            raise mismatch("function flatten", f"a list with {type_name(value)}")
        flat += value or []
    return flat


def join(values: list[Any], separator: str) -> str | None:
    """Return the items that are not NULL as text with a separator between them, NULL if all are NULL."""
    present = [to_text(value) for value in values if value is not None]
    return joined(separator, present) if present or not values else None


def concat(*lists: Sequence[Any] | None) -> list[Any]:
    """Return one list of several, NULL counting as empty."""
    present = [each for each in lists if each is not None]
    for each in present:
        if each.__class__ is not list:
            raise mismatch("function list_concat", type_name(each))
    return [item for each in present for item in each]


def append(values: Any, item: Any) -> list[Any]:
    """Return the list with one more item; a NULL list counts as empty."""
    return [*_list("list_append", values), item]


def prepend(item: Any, values: Any) -> list[Any]:
    """Return the list with one more item before the others; a NULL list counts as empty."""
    return [item, *_list("list_prepend", values)]


def _list(function: str, values: Any) -> list[Any]:
    if values is not None and values.__class__ is not list:
        raise mismatch(f"function {function}", type_name(values))
    return values or []


_L: Final = items("list")


def _one(name: str, impl: Any, returns: Kind, doc: str, example: tuple[str, str], *aliases: str) -> Function:
    return Function(name=name, args=(_L,), impl=impl, returns=returns, doc=doc, example=example, aliases=aliases)


_TEXT_OR_LIST: Final = Arg("x", Kind.TEXT | Kind.LIST, usual=Kind.TEXT)
FUNCTIONS: Final = (
    Function(name="contains", args=(_TEXT_OR_LIST, Arg("y", Kind.ANY, usual=Kind.TEXT)), impl=contains_either, inline="({1} in {0})", returns=Kind.BOOL, doc="Whether text contains other text, or a list an item.", example=("contains('abc', 'b')", "true")),
    Function(name="list_contains", args=(_L, any_value("x")), impl=contains, returns=Kind.BOOL, aliases=("list_has", "array_contains", "array_has"), doc="Whether a value is in the list. Also `x IN list`.", example=("list_contains([1, 2], 2)", "true")),
    Function(name="list_position", args=(_L, any_value("x")), impl=position, returns=Kind.INT | Kind.NULL, aliases=("list_indexof", "array_position", "array_indexof"), doc="Where a value first is in the list, NULL if it is not.", example=("list_position(['a', 'b'], 'b')", "2")),
    Function(name="list_extract", args=SUBSCRIPT.args, impl=SUBSCRIPT.impl, returns=Kind.ANY, aliases=("list_element", "array_extract"), doc="One item. Same as `list[i]`.", example=("list_extract([1, 2], -1)", "2")),
    Function(name="list_slice", args=(Arg("list", Kind.LIST | Kind.TEXT), any_value("begin"), any_value("end")), impl=slice_of, returns=Kind.LIST | Kind.TEXT, aliases=("array_slice",), doc="Part of a list, both ends included. Same as `list[begin:end]`.", example=("list_slice([1, 2, 3], 2, 3)", "[2, 3]")),
    Function(name="list_concat", args=(any_value("list"),), variadic=True, strict=False, impl=concat, returns=Kind.LIST, aliases=("list_cat", "array_concat", "array_cat"), doc="One list of several. Same as `a || b`, but NULL counts as empty.", example=("list_concat([1], [2])", "[1, 2]")),
    Function(name="list_append", args=(any_value("list"), any_value("x")), strict=False, impl=append, returns=Kind.LIST, aliases=("array_append", "array_push_back"), doc="The list with one more item at the end.", example=("list_append([1], 2)", "[1, 2]")),
    Function(name="list_prepend", args=(any_value("x"), any_value("list")), strict=False, impl=prepend, returns=Kind.LIST, aliases=("array_prepend",), doc="The list with one more item at the start.", example=("list_prepend(1, [2])", "[1, 2]")),
    _one("list_sort", _sort(reverse=False), Kind.LIST, "Items in ascending order, NULL last.", ("list_sort([3, 1, NULL])", "[1, 3, NULL]"), "array_sort"),
    _one("list_reverse_sort", _sort(reverse=True), Kind.LIST, "Items in descending order, NULL last.", ("list_reverse_sort([1, 3])", "[3, 1]"), "array_reverse_sort"),
    _one("list_reverse", lambda values: values[::-1], Kind.LIST, "Items in reverse order.", ("list_reverse([1, 2])", "[2, 1]"), "array_reverse"),
    _one("list_distinct", distinct, Kind.LIST, "Each value once, without NULL, in the order of first appearance.", ("list_distinct([2, 1, 2])", "[2, 1]"), "array_distinct"),
    _one("list_unique", lambda values: len(distinct(values)), Kind.INT, "Number of different values, without NULL.", ("list_unique([2, 1, 2])", "2"), "array_unique"),
    _one("list_count", lambda values: len(values) - values.count(None), Kind.INT, "Number of items that are not NULL.", ("list_count([1, NULL])", "1")),
    _one("list_sum", total, Kind.ANY, "Sum of the items, NULL if there is none.", ("list_sum([1, 2])", "3")),
    _one("list_avg", average, Kind.FLOAT | Kind.NULL, "Mean of the items, NULL if there is none.", ("list_avg([1, 2])", "1.5")),
    _one("list_min", _extreme(-1), Kind.ANY, "Least item, NULL if there is none.", ("list_min([2, 1])", "1")),
    _one("list_max", _extreme(1), Kind.ANY, "Greatest item, NULL if there is none.", ("list_max([2, 1])", "2")),
    _one("flatten", flatten, Kind.LIST, "The items of a list of lists.", ("flatten([[1], [2, 3]])", "[1, 2, 3]")),
    Function(name="array_to_string", args=(_L, text("separator")), impl=join, returns=Kind.TEXT | Kind.NULL, aliases=("list_to_string", "array_join"), doc="Items that are not NULL as text, with a separator between them; NULL if all are NULL.", example=("array_to_string([1, NULL, 2], '-')", "'1-2'")),
    Function(name="array_length", args=(_L,), impl=len, returns=Kind.INT, doc="Number of items. Same as `len(list)`.", example=("array_length([1, 2])", "2")),
)  # fmt: skip
