"""JSON inside expressions."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from wire.core.errors import RecordError
from wire.pipelines.expressions import compile_expression

LARGE = 2**100
DEEP = "[" * 5000 + "]" * 5000


def evaluate(text: str, **record: Any) -> Any:
    return compile_expression(text)(record)


@pytest.mark.parametrize("text", ["CAST(s AS JSON)", "json_extract(s, '$')"])
def test_whole_numbers_of_any_size_are_read_exactly(text: str) -> None:
    assert evaluate(text, s=f'{{"n": [{LARGE}]}}') == {"n": [LARGE]}


def test_whole_numbers_of_any_size_are_written_exactly() -> None:
    assert evaluate("to_json(x)", x=[LARGE]) == f"[{LARGE}]"
    assert evaluate("CAST(x AS JSON)", x={"n": LARGE}) == {"n": LARGE}


def test_a_value_json_has_no_type_for_is_the_same_text_as_json_value_and_as_json_text() -> None:
    moment = dt.datetime(2013, 1, 1, 10)
    value = {"at": moment, "price": Decimal("1.50"), "none": float("nan"), "raw": b"a\x00"}
    plain = {"at": "2013-01-01 10:00:00", "price": 1.5, "none": None, "raw": "a\\x00"}
    assert evaluate("CAST(x AS JSON)", x=value) == plain
    assert evaluate("CAST(to_json(x) AS JSON)", x=value) == plain


@pytest.mark.parametrize("text", [DEEP, "NaN", "[1,]", '"\\ud800"', "1e999", "\ud800", ""])
def test_text_that_is_no_json_fails_its_record(text: str) -> None:
    assert evaluate("json_valid(s)", s=text) is False
    with pytest.raises(RecordError, match="to JSON"):
        evaluate("CAST(s AS JSON)", s=text)


def test_text_that_is_no_unicode_has_no_json() -> None:
    with pytest.raises(RecordError, match="has no JSON"):
        evaluate("to_json(s)", s="\ud800")
