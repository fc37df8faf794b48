"""The reference page is the one the tables give, and its examples are true, here and in DuckDB."""

from __future__ import annotations

import contextlib
from pathlib import Path

import duckdb
import pytest

from tests.unit.pipelines.expressions.duck import same
from wire.pipelines.expressions import compile_expression
from wire.pipelines.expressions.functions.table import FUNCTIONS
from wire.pipelines.expressions.reference import reference

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "expressions.md"
EXAMPLES = {name: function.example for name, function in FUNCTIONS.items() if function.example}
OTHERWISE_IN_DUCKDB = {
    "json_extract": "a value, not JSON text",
    "list_distinct": "the order of first appearance, there any order",
    "struct_values": "a list, there a row",
    "to_timestamp": "a TIMESTAMP, there one with a time zone",
    "typeof": "1.5 is DOUBLE",
}


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text() == reference(), "run `make docs`"


def test_every_function_is_described() -> None:
    for name, function in FUNCTIONS.items():
        assert function.doc.endswith("."), name
        assert function.example or function.meta, name


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_true(name: str) -> None:
    expression, result = EXAMPLES[name]
    ours, expected = compile_expression(expression)({}), compile_expression(result)({})
    assert same(ours, expected), f"{expression} gives {ours!r}"
    if FUNCTIONS[name].name in OTHERWISE_IN_DUCKDB:
        return
    with contextlib.suppress(duckdb.BinderException, duckdb.CatalogException):
        theirs = duckdb.connect().execute(f"SELECT {expression}").fetchone()
        assert theirs is not None
        assert same(ours, theirs[0]) or isinstance(ours, float), (ours, theirs)
