"""Asks Wire and DuckDB for the same expression, on rows full of the values that make a difference."""

from __future__ import annotations

import functools

from tests.unit.pipelines.expressions.duck import Reference, evaluate, same
from tests.unit.pipelines.expressions.rows import ROWS


def lines(*blocks: str) -> list[str]:
    """The expressions of some texts that hold one in each line."""
    return [line for block in blocks for line in block.strip().splitlines()]


@functools.cache
def _reference() -> Reference:
    return Reference(ROWS)


def expect_agreement(expression: str) -> None:
    """Expect the same value as DuckDB's, or a failure where DuckDB fails, in every row."""
    theirs = _reference().evaluate(expression)
    ours = evaluate(expression, ROWS)
    wrong = [(row, a, b) for row, a, b in zip(ROWS, ours, theirs, strict=True) if not same(a, b)]
    used = {name: value for name, value in wrong[0][0].items() if name in expression} if wrong else {}
    assert not wrong, f"{expression} over {used}: Wire gives {wrong[0][1]!r}, DuckDB {wrong[0][2]!r}"
