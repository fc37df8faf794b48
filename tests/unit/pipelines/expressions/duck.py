"""DuckDB as the reference: the same expression over the same rows, here and there."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

import duckdb

from wire.core.errors import RecordError
from wire.pipelines.expressions import ExpressionError, compile_expression
from wire.pipelines.expressions.values import Interval

COLUMNS = {
    "b1": "BIGINT",
    "b2": "BIGINT",
    "d1": "DOUBLE",
    "d2": "DOUBLE",
    "s1": "VARCHAR",
    "s2": "VARCHAR",
    "p1": "BOOLEAN",
    "p2": "BOOLEAN",
    "t1": "TIMESTAMP",
    "t2": "TIMESTAMP",
    "l1": "BIGINT[]",
    "st": "STRUCT(a BIGINT, b VARCHAR)",
}


@dataclass(frozen=True)
class Failed:
    """The expression can't be computed for this row; two failures are equal whatever they say."""

    message: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failed)

    def __hash__(self) -> int:
        return 0


class RefusedError(Exception):
    """The expression is refused before any row is looked at."""


class Reference:
    """A table of rows in DuckDB."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("SET threads = 1")
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        self.connection.execute(f"CREATE TABLE t (id INTEGER, {columns})")
        marks = ", ".join("?" for _ in range(len(COLUMNS) + 1))
        for number, row in enumerate(rows):
            values = [number, *(row[name] for name in COLUMNS)]
            self.connection.execute(f"INSERT INTO t VALUES ({marks})", values)  # noqa: S608 (marks are question marks)

    def evaluate(self, expression: str) -> list[Any]:
        """Return the value, or Failed, for every row. Raises RefusedError for what does not bind."""
        query = f"SELECT {expression} FROM t"  # noqa: S608 (the tests' own expressions)
        try:
            return [value for (value,) in self.connection.execute(f"{query} ORDER BY id").fetchall()]
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as exc:
            raise RefusedError(str(exc)) from exc
        except duckdb.Error:
            return [self._evaluate_one(query, number) for number in range(len(self.rows))]

    def _evaluate_one(self, query: str, number: int) -> Any:
        try:
            found = self.connection.execute(f"{query} WHERE id = ?", [number]).fetchone()
        except duckdb.Error as exc:
            return Failed(str(exc))
        assert found is not None
        return found[0]


def evaluate(expression: str, rows: list[dict[str, Any]]) -> list[Any]:
    """Return Wire's value, or Failed, for every row. Raises RefusedError for what is no expression."""
    try:
        function = compile_expression(expression)
    except ExpressionError as exc:
        raise RefusedError(str(exc)) from exc
    return [_call(function, row) for row in rows]


def _call(function: Any, row: dict[str, Any]) -> Any:
    try:
        return function(row)
    except RecordError as exc:
        return Failed(str(exc))


def same(ours: Any, theirs: Any) -> bool:
    """Return whether two values are the same value, up to the last digit of a DOUBLE."""
    if isinstance(ours, Interval):
        ours = dt.timedelta(days=ours.months * 30 + ours.days, microseconds=ours.micros)
    if isinstance(ours, Failed) or isinstance(theirs, Failed):
        return ours == theirs
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        return _same_number(ours, theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(same(ours[name], theirs[name]) for name in ours)
    return type(ours) is type(theirs) and bool(ours == theirs)


def _same_number(ours: float, theirs: float) -> bool:
    if math.isnan(ours) or math.isnan(theirs):
        return math.isnan(ours) and math.isnan(theirs)
    return ours == theirs or math.isclose(ours, theirs, rel_tol=1e-13, abs_tol=0.0)
