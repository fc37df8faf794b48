"""Three-valued logic, exhaustively, both as a value and as a predicate."""

from __future__ import annotations

import itertools
from typing import Any

import duckdb
import pytest

from wire.pipelines.expressions import FunctionScope, compile_expression, emit_predicate, parse

VALUES = [True, False, None]
FORMS = [
    "a AND b", "a OR b", "NOT a", "NOT (a AND b)", "NOT (a OR b)", "NOT NOT a", "a AND b AND c", "a OR b OR c",
    "a AND b OR c", "a AND (b OR c)", "NOT a AND NOT b", "NOT (a AND (b OR NOT c))", "(a OR b) AND (b OR c)",
    "a = b", "a <> b", "a < b", "NOT (a < b)", "a IS NULL", "a IS NOT NULL", "NOT (a IS NULL)", "a IS TRUE",
    "a IS NOT TRUE", "a IS FALSE", "a IS NOT FALSE", "a IS DISTINCT FROM b", "a IS NOT DISTINCT FROM b",
    "a IN (b, c)", "a NOT IN (b, c)", "a BETWEEN b AND c", "a NOT BETWEEN b AND c", "NOT (a BETWEEN b AND c)",
    "CASE WHEN a THEN b ELSE c END", "CASE WHEN a AND b THEN c END", "CASE a WHEN b THEN c ELSE a END",
    "coalesce(a, b, c)", "if(a, b, c)", "NOT if(a, b, c)", "nullif(a, b)", "a IN (true, NULL)",
    "NOT a IN (false, NULL)",
    "coalesce(a, b) AND c", "(a IS NULL) OR b", "(a = b) IS NULL", "(a AND b) IS NOT TRUE", "NOT (a = b OR b = c)",
]  # fmt: skip


def predicate(text: str) -> Any:
    scope = FunctionScope("record")
    source = emit_predicate(parse(text), scope)
    return eval(f"lambda record: bool({source})", dict(scope.constants))  # noqa: S307 (our own source)


@pytest.mark.parametrize("form", FORMS)
def test_every_combination_is_as_in_duckdb(form: str) -> None:
    combinations = list(itertools.product(VALUES, VALUES, VALUES))
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (i INTEGER, a BOOLEAN, b BOOLEAN, c BOOLEAN)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [(i, *row) for i, row in enumerate(combinations)])
    theirs = [row[0] for row in connection.execute(f"SELECT {form} FROM t ORDER BY i").fetchall()]  # noqa: S608 (constant)
    value, holds = compile_expression(form), predicate(form)
    for (a, b, c), expected in zip(combinations, theirs, strict=True):
        record = {"a": a, "b": b, "c": c}
        assert value(record) is expected, f"{form} over {record}"
        assert holds(record) is (expected is True), f"{form} as a predicate over {record}"


@pytest.mark.parametrize("form", ["a > 5", "NOT (a > 5)", "a BETWEEN 1 AND 5", "a IN (1, 5)", "a", "NOT a"])
@pytest.mark.parametrize("value", [None, 0, 1, 5, 6, 1.5, 5.5, float("nan")])
def test_a_predicate_holds_only_where_the_value_is_true(form: str, value: object) -> None:
    expected = compile_expression(form)({"a": value})
    assert predicate(form)({"a": value}) is (expected is True or (form == "a" and bool(value)))


def test_what_decides_spares_the_rest() -> None:
    record = {"zero": 0, "no": False, "yes": True}
    assert compile_expression("no AND 1 // zero > 0")(record) is False
    assert compile_expression("yes OR 1 // zero > 0")(record) is True
    assert compile_expression("CASE WHEN yes THEN 1 ELSE 1 // zero END")(record) == 1
    assert compile_expression("coalesce(1, 1 // zero)")(record) == 1
    assert compile_expression("TRY(1 // zero)")(record) is None
