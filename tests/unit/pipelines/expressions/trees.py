"""Random expressions with types, as text DuckDB and Wire both take."""

from __future__ import annotations

import functools
import re

from hypothesis import strategies as st

Texts = st.SearchStrategy[str]

NAMES = {
    "int": ["b1", "b2"],
    "float": ["d1", "d2"],
    "text": ["s1", "s2"],
    "bool": ["p1", "p2"],
    "time": ["t1", "t2"],
    "list": ["l1"],
}
LITERALS = {
    "k_zero": ("int", "0"),
    "k_one": ("int", "1"),
    "k_seven": ("int", "7"),
    "k_sixty": ("int", "60"),
    "k_most": ("int", "9223372036854775807"),
    "k_half": ("float", "0.5e0"),
    "k_quarters": ("float", "2.25e0"),
    "k_thousand": ("float", "1e3"),
    "k_a": ("text", "'a'"),
    "k_abc": ("text", "'abc'"),
    "k_empty": ("text", "''"),
    "k_quote": ("text", "'it''s'"),
    "k_like": ("text", "'a%'"),
    "k_true": ("bool", "true"),
    "k_false": ("bool", "false"),
    "k_new_year": ("time", "TIMESTAMP '2013-01-01 10:00:00'"),
    "k_pair": ("list", "[1, 2]"),
    "k_null": ("list", "[3, NULL]"),
}
"""Literals by the name they have in a tree. For Wire they become literals, on which it takes its shortcuts; for DuckDB
columns, so that it evaluates them for each row instead of once."""

TYPES = {
    "int": "BIGINT",
    "float": "DOUBLE",
    "text": "VARCHAR",
    "bool": "BOOLEAN",
    "time": "TIMESTAMP",
    "list": "BIGINT[]",
}
LITERAL_COLUMNS = {name: f"{value}::{TYPES[kind]}" for name, (kind, value) in LITERALS.items()}


def with_literals(tree: str) -> str:
    """Return the expression as Wire gets it."""
    return re.sub(r"\bk_\w+", lambda name: LITERALS[name[0]][1], tree)


@functools.cache
def expressions(kind: str, depth: int) -> Texts:
    """Return a strategy for expressions of one kind, nested at most `depth` deep."""
    leaf = st.sampled_from(NAMES[kind]) | st.sampled_from([name for name, (own, _) in LITERALS.items() if own == kind])
    if depth == 0:
        return leaf
    return leaf | st.one_of(*_OF_KIND[kind](depth - 1)) | _anything(kind, depth - 1)


def _fill(template: str, depth: int, *kinds: str) -> Texts:
    parts = [expressions(kind, depth) for kind in kinds]
    return st.tuples(*parts).map(lambda found: template.format(*found))


def _several(depth: int, templates: list[str], *kinds: str) -> list[Texts]:
    return [_fill(template, depth, *kinds) for template in templates]


def _anything(kind: str, depth: int) -> Texts:
    """Return what gives any kind: conditionals, and whatever is in parentheses."""
    return st.one_of(
        _fill("({})", depth, kind),
        _fill("CASE WHEN {} THEN {} ELSE {} END", depth, "bool", kind, kind),
        _fill("CASE WHEN {} THEN {} END", depth, "bool", kind),
        _fill("CASE {} WHEN {} THEN {} ELSE {} END", depth, "int", "int", kind, kind),
        _fill("coalesce({}, {})", depth, kind, kind),
        _fill("if({}, {}, {})", depth, "bool", kind, kind),
        _fill("nullif({}, {})", depth, kind, kind),
    )


def _ints(depth: int) -> list[Texts]:
    return [
        *_several(depth, ["({} + {})", "({} - {})", "({} * {})", "({} // {})", "({} % {})"], "int", "int"),
        *_several(depth, ["(-{})", "abs({})", "round({}, -1)", "sign({})"], "int"),
        *_several(depth, ["greatest({}, {})", "least({}, {})"], "int", "int"),
        *_several(depth, ["length({})", "TRY_CAST({} AS BIGINT)"], "text"),
        *_several(depth, ["CAST({} AS BIGINT)", "sign({})"], "float"),
        *_several(depth, ["CAST({} AS BIGINT)"], "bool"),
        *_several(depth, ["year({})", "date_part('dow', {})", "epoch_us({})"], "time"),
        *_several(depth, ["date_diff('day', {}, {})"], "time", "time"),
        *_several(depth, ["length({})", "{}[1]", "{}[-1]", "list_max({})"], "list"),
        *_several(depth, ["strpos({}, {})"], "text", "text"),
    ]


def _floats(depth: int) -> list[Texts]:
    return [
        *_several(depth, ["({} + {})", "({} - {})", "({} * {})", "({} / {})", "({} % {})"], "float", "float"),
        *_several(depth, ["({} + {})", "({} * {})", "({} / {})"], "int", "float"),
        *_several(depth, ["({} - {})", "({} / {})"], "float", "int"),
        *_several(depth, ["({} / {})"], "int", "int"),
        *_several(depth, ["(-{})", "abs({})", "floor({})", "ceil({})", "trunc({})", "round({})"], "float"),
        *_several(depth, ["greatest({}, {})", "least({}, {})"], "float", "float"),
        *_several(depth, ["CAST({} AS DOUBLE)", "floor({})"], "int"),
    ]


def _texts(depth: int) -> list[Texts]:
    return [
        *_several(depth, ["({} || {})", "concat({}, {})", "concat_ws('-', {}, {})"], "text", "text"),
        *_several(depth, ["({} || {})", "left({}, {})", "right({}, {})"], "text", "int"),
        *_several(depth, ["({} || {})"], "int", "text"),
        *_several(depth, ["upper({})", "lower({})", "trim({})", "{}[2:3]"], "text"),
        *_several(depth, ["CAST({} AS VARCHAR)"], "int"),
        *_several(depth, ["CAST({} AS VARCHAR)"], "bool"),
        *_several(depth, ["CAST({} AS VARCHAR)", "strftime({}, '%Y-%m-%d %H:%M:%S')"], "time"),
        *_several(depth, ["replace({}, {}, {})"], "text", "text", "text"),
        *_several(depth, ["split_part({}, {}, 1)"], "text", "text"),
        *_several(depth, ["substring({}, -3, 2)", "lpad({}, 4, '*')", "regexp_replace({}, 'a', 'b')"], "text"),
    ]


def _bools(depth: int) -> list[Texts]:
    compare = ["({} = {})", "({} <> {})", "({} < {})", "({} <= {})", "({} > {})", "({} >= {})"]
    compare += ["({} IS DISTINCT FROM {})", "({} IS NOT DISTINCT FROM {})", "({} IN ({}, 1))"]
    ordered = ["({} BETWEEN {} AND {})", "({} NOT BETWEEN {} AND {})", "({} IN ({}, {}))", "({} NOT IN ({}, {}))"]
    return [
        *_several(depth, ["({} AND {})", "({} OR {})", "({} = {})", "({} < {})"], "bool", "bool"),
        *_several(depth, ["(NOT {})", "({} IS TRUE)", "({} IS NOT FALSE)", "({} IS NULL)"], "bool"),
        *_several(depth, ["({} AND {} AND {})", "({} OR {} OR {})", "({} AND {} OR {})"], *["bool"] * 3),
        *_several(depth, compare, "int", "int"),
        *_several(depth, compare, "int", "float"),
        *_several(depth, compare, "float", "int"),
        *_several(depth, compare, "float", "float"),
        *_several(depth, compare[:-1], "text", "text"),
        *_several(depth, compare[:-1], "time", "time"),
        *_several(depth, compare[:-1], "list", "list"),
        *[
            _fill(template, depth, kind, kind, kind)
            for template in ordered
            for kind in ("int", "float", "text", "time")
        ],
        *_several(depth, ["({} LIKE {})", "({} ILIKE {})", "starts_with({}, {})"], "text", "text"),
        *_several(depth, ["({} LIKE '%a%')", "({} NOT LIKE 'a_c')", "({} IS NOT NULL)"], "text"),
        *_several(depth, ["list_contains({}, {})"], "list", "int"),
        *_several(depth, ["isnan({})", "isinf({})"], "float"),
    ]


def _times(depth: int) -> list[Texts]:
    units = ["hour", "day", "month", "year"]
    return [
        *[_fill(f"date_trunc('{unit}', {{}})", depth, "time") for unit in units],
        *[_fill(f"({{}} + INTERVAL 3 {unit})", depth, "time") for unit in units],
        *[_fill(f"({{}} - INTERVAL 1 {unit})", depth, "time") for unit in units],
        *_several(depth, ["greatest({}, {})"], "time", "time"),
        *_several(depth, ["CAST(CAST({} AS DATE) AS TIMESTAMP)", "CAST(CAST({} AS VARCHAR) AS TIMESTAMP)"], "time"),
    ]


def _lists(depth: int) -> list[Texts]:
    return [
        *_several(depth, ["({} || {})", "list_concat({}, {})"], "list", "list"),
        *_several(depth, ["{}[2:]", "{}[:2]", "list_sort({})", "list_reverse({})"], "list"),
        *_several(depth, ["[{}, {}]"], "int", "int"),
        *_several(depth, ["list_append({}, {})"], "list", "int"),
    ]


_OF_KIND = {"int": _ints, "float": _floats, "text": _texts, "bool": _bools, "time": _times, "list": _lists}
