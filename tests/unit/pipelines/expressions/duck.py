"""DuckDB as the reference: the same expression over the same rows, here and there."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
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


UNKNOWN = object()
"""What DuckDB can't be asked, because even a plain row fails."""

PLAIN: dict[str, Any] = {
    "b1": 3,
    "b2": 2,
    "d1": 1.5,
    "d2": 2.5,
    "s1": "12",
    "s2": "34",
    "p1": True,
    "p2": False,
    "t1": dt.datetime(2020, 1, 2, 3, 4, 5),
    "t2": dt.datetime(2021, 1, 2, 3, 4, 5),
    "l1": [5, 6],
    "st": {"a": 1, "b": "x"},
}


class RefusedError(Exception):
    """The expression is refused before any row is looked at."""


class Reference:
    """A table of rows in DuckDB, with further columns that are the same in every row."""

    def __init__(self, rows: list[dict[str, Any]], constants: Mapping[str, str] = MappingProxyType({})) -> None:
        self.rows = rows
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("SET threads = 1")
        self.connection.execute("PRAGMA disable_optimizer")  # it leaves out what a constant makes needless, errors too
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        self.connection.execute(f"CREATE TABLE t (id INTEGER, {columns})")
        marks = ", ".join("?" for _ in range(len(COLUMNS) + 1))
        for number, row in enumerate([PLAIN, *rows]):
            values = [number, *(row[name] for name in COLUMNS)]
            self.connection.execute(f"INSERT INTO t VALUES ({marks})", values)  # noqa: S608 (marks are question marks)
        for name, value in constants.items():
            self.connection.execute(f"ALTER TABLE t ADD COLUMN {name} {value.rpartition('::')[2]} DEFAULT {value}")

    def evaluate(self, expression: str) -> list[Any]:
        """Return the value, or Failed, or UNKNOWN, for every row. Raises RefusedError for what does not bind."""
        query = f"SELECT {expression} FROM t WHERE id"  # noqa: S608 (the tests' own expressions)
        try:
            return self._values(f"{query} > 0 ORDER BY id")
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as exc:
            raise RefusedError(str(exc)) from exc
        except duckdb.Error:
            plain = self._one(f"{query} = 0")
            return [self._beside_plain(query, number, plain) for number in range(1, len(self.rows) + 1)]

    def _beside_plain(self, query: str, number: int, plain: Any) -> Any:
        """Evaluate one row beside a plain one: alone, DuckDB would leave out what a NULL makes needless."""
        return UNKNOWN if isinstance(plain, Failed) else self._one(f"{query} IN (0, {number}) ORDER BY id")

    def _one(self, query: str) -> Any:
        try:
            return self._values(query)[-1]
        except duckdb.Error as exc:
            return Failed(str(exc))

    def _values(self, query: str) -> list[Any]:
        return [value for (value,) in self.connection.execute(query).fetchall()]


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
    if theirs is UNKNOWN:
        return True
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
