"""Rows that hold the values on which implementations differ."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from typing import Any

from tests.unit.pipelines.expressions.duck import COLUMNS

BIGINTS = [None, 0, 1, -1, 2, 7, -7, 60, 100, 2**31, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63)]
DOUBLES = [
    None, 0.0, -0.0, 0.5, 1.0, -1.5, 2.5, 3.5, -2.5, 2.345, 1e15, 1e16, 1e300, -1e300, 5e-324, 9007199254740993.0,
    9.3e18, math.inf, -math.inf, math.nan,
]  # fmt: skip
TEXTS = [
    None, "", " ", "a", "A", "abc", "ABC", "hello world", "12", " 7 ", "-3.5", "1e3", "true", "f", "straße", "é",
    "e\u0301", "日本語", "😀x", "a%b_c", "100%", "it's", "{x}", "\\", "line\nbreak", "2013-01-01",
    "2013-01-01T10:00:00Z", "a,b,,c", "aaa", "x" * 40,
]  # fmt: skip
BOOLEANS = [None, True, False]
TIMESTAMPS = [
    None,
    *(
        dt.datetime.fromisoformat(text)
        for text in (
            "1970-01-01", "2013-01-01T10:00:00", "2013-01-31T23:59:59.999999", "2012-02-29T12:30:45.5", "2000-01-01",
            "1999-12-31T23:59:59", "2024-12-30T00:00:00.001", "1969-12-31T23:59:59.5", "2013-03-31T00:00:01",
        )
    ),
]  # fmt: skip
LISTS = [None, [], [1], [3, 1, 2], [1, None, 1], [None], [-1, 2**62, 2**62]]
STRUCTS = [None, {"a": 1, "b": "x"}, {"a": None, "b": ""}, {"a": 2, "b": None}]

POOLS: dict[str, list[Any]] = {
    "BIGINT": BIGINTS,
    "DOUBLE": DOUBLES,
    "VARCHAR": TEXTS,
    "BOOLEAN": BOOLEANS,
    "TIMESTAMP": TIMESTAMPS,
    "BIGINT[]": LISTS,
    "STRUCT(a BIGINT, b VARCHAR)": STRUCTS,
}


def make_rows(count: int) -> list[dict[str, Any]]:
    """Return rows in which every column walks through its pool, each at its own pace."""
    paces = [1, 4, 1, 7, 1, 11, 1, 2, 1, 3, 1, 1]
    cycles = {
        name: itertools.islice(itertools.cycle(POOLS[kind]), pace, None, 1 if pace == 1 else pace)
        for (name, kind), pace in zip(COLUMNS.items(), paces, strict=True)
    }
    return [{name: next(cycle) for name, cycle in cycles.items()} for _ in range(count)]


ROWS = make_rows(60)
