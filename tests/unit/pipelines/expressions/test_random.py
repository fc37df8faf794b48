"""Random expression trees over columns of every type give what DuckDB gives, row by row."""

from __future__ import annotations

import functools

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.unit.pipelines.expressions.duck import Failed, Reference, RefusedError, evaluate, same
from tests.unit.pipelines.expressions.rows import make_rows
from tests.unit.pipelines.expressions.trees import LITERAL_COLUMNS, expressions, with_literals

ROWS = make_rows(25)


@functools.cache
def reference() -> Reference:
    return Reference(ROWS, LITERAL_COLUMNS)


LAZY = (" AND ", " OR ", "CASE ", "nullif(", "[")


def agree(tree: str, ours: object, theirs: object) -> bool:
    """Compare; where one side may leave out what can't change the result, it need not fail where the other does.

    Wire stops at what decides AND, OR and CASE; DuckDB does not evaluate the other operand of a NULL.
    """
    if (isinstance(theirs, Failed) or isinstance(ours, Failed)) and any(word in tree for word in LAZY):
        return True
    return same(ours, theirs)


@pytest.mark.parametrize("kind", ["int", "float", "text", "bool", "time", "list"])
@settings(
    max_examples=250,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_a_random_tree_gives_what_duckdb_gives(kind: str, data: st.DataObject) -> None:
    tree = data.draw(expressions(kind, 3))
    expression = with_literals(tree)
    try:
        ours, theirs = evaluate(expression, ROWS), reference().evaluate(tree)
    except RefusedError:
        assume(False)
    for row, mine, other in zip(ROWS, ours, theirs, strict=True):
        assert agree(tree, mine, other), f"{expression} over {row}: Wire gives {mine!r}, DuckDB {other!r}"
