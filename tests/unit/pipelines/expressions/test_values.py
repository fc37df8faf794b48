"""What is Wire's own: types that change from record to record, text for moments, metadata, and failing records."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pytest

from wire.core.codes import CODES
from wire.core.errors import RecordError
from wire.pipelines.expressions import FunctionScope, compile_expression, emit, parse
from wire.pipelines.expressions.moments import instant
from wire.pipelines.expressions.values import Interval


def run(text: str, **record: object) -> Any:
    return compile_expression(text)(record)


@pytest.mark.parametrize(
    ("text", "record", "value"),
    [
        ("a", {}, None),
        ("a + 1", {}, None),
        ("a.b.c", {"a": {"b": {"c": 5}}}, 5),
        ("a.b.c", {"a": {"b": {}}}, None),
        ("a.b.c", {"a": {}}, None),
        ("a.b.c", {}, None),
        ("a[1].b", {"a": [{"b": 7}]}, 7),
        ("a[2].b", {"a": [{"b": 7}]}, None),
        ("a['b c']", {"a": {"b c": 1}}, 1),
        ("A", {"a": 1}, None),
        ('"A"', {"A": 1}, 1),
        ("a + b", {"a": 1, "b": 2.5}, 3.5),
        ("a + b", {"a": 2**63, "b": 1}, 2**63 + 1),
        ("a * b", {"a": 2**64, "b": 2}, 2**65),
        ("a > 15", {"a": 15.5}, True),
        ("a > 15", {"a": Decimal("15.5")}, True),
        ("a = 1", {"a": True}, True),
        ("a > '15'", {"a": 16}, True),
        ("a = '1.5'", {"a": 1.5}, True),
        ("a = 12", {"a": " 12 "}, True),
        ("a IN (1, 2)", {"a": "2"}, True),
        ("coalesce(a, b)", {"a": None, "b": "x"}, "x"),
        ("a || b", {"a": 1, "b": True}, "1true"),
        ("a || '{}' || b", {"a": "{x}", "b": 2}, "{x}{}2"),
        ("a AND b", {"a": "yes", "b": 1}, True),
        ("year(a)", {"a": "2013-01-01T10:00:00Z"}, 2013),
        ("hour(a)", {"a": "2013-01-01T10:00:00+02:00"}, 8),
        ("hour(a)", {"a": "2013-01-01T10:00:00.123Z"}, 10),
        ("hour(a::TIMESTAMP)", {"a": "2013-01-01T10:00:00+02:00"}, 10),
        ("hour(a::TIMESTAMPTZ)", {"a": "2013-01-01T10:00:00+02:00"}, 8),
        ("strftime(a, '%Y-%m')", {"a": "2013-01-31"}, "2013-01"),
        ("a > TIMESTAMP '2013-01-01'", {"a": "2013-01-01T00:00:01Z"}, True),
        ("TIMESTAMP '2013-01-01' < a", {"a": dt.date(2013, 1, 2)}, True),
        ("date_trunc('hour', a)", {"a": "2013-01-01 10:22:33"}, dt.datetime(2013, 1, 1, 10)),
        ("date_diff('day', a, b)", {"a": "2013-01-01", "b": "2013-03-01"}, 59),
        ("epoch_ms(a)", {"a": "1970-01-01T00:00:01Z"}, 1000),
        ("epoch_ms(a)", {"a": 1000}, dt.datetime(1970, 1, 1, 0, 0, 1)),
        ("a::JSON -> 'b'", {"a": '{"b": [1, {"c": 2}]}'}, [1, {"c": 2}]),
        ("a -> '$.b[1].c'", {"a": '{"b": [1, {"c": 2}]}'}, 2),
        ("a ->> 'b'", {"a": {"b": [1, 2]}}, "[1,2]"),
        ("a ->> 0", {"a": ["x"]}, "x"),
        ("a -> '/b/0'", {"a": {"b": [5]}}, 5),
        ("typeof(a)", {"a": 2**70}, "HUGEINT"),
        ("typeof(a)", {}, "NULL"),
        ("contains(a, 'b')", {"a": ["a", "b"]}, True),
        ("contains(a, 'b')", {"a": "abc"}, True),
        ("list_contains(a, 1)", {"a": ["1", 1.0]}, True),
        ("list_distinct(a)", {"a": [1, "1", 1.0, True, None, 2]}, [1, "1", 2]),
        ("a::DECIMAL(10,2) * 3", {"a": "1.255"}, Decimal("3.78")),
        ("a::DECIMAL(10,2) / 2", {"a": "1.5"}, 0.75),
        ("TRY_CAST(a AS INTEGER)", {"a": "x"}, None),
        ("reverse(a)", {"a": "ae\u0301"}, "e\u0301a"),
    ],
)
def test_a_value(text: str, record: dict[str, object], value: object) -> None:
    result = run(text, **record)
    assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "record", "code"),
    [
        ("a + b", {"a": 2**63 - 1, "b": 1}, "expression.overflow"),
        ("a * 2", {"a": 2**62}, "expression.overflow"),
        ("-a", {"a": -(2**63)}, "expression.overflow"),
        ("a + 1", {"a": 2**127 - 1}, "expression.overflow"),
        ("a * 2", {"a": 10**400}, "expression.overflow"),
        ("a / 2", {"a": 10**400}, "expression.overflow"),
        ("a // b", {"a": 1, "b": 0}, "expression.domain"),
        ("a % b", {"a": 1, "b": 0}, "expression.domain"),
        ("a + 1", {"a": "1"}, "expression.type_mismatch"),
        ("a + 1", {"a": True}, "expression.type_mismatch"),
        ("a > 15", {"a": "20"}, "expression.type_mismatch"),
        ("a > 15", {"a": [1]}, "expression.type_mismatch"),
        ("a > 'x'", {"a": 5}, "expression.cast"),
        ("a = 12", {"a": "x"}, "expression.cast"),
        ("upper(a)", {"a": 5}, "expression.type_mismatch"),
        ("sqrt(a)", {"a": "4"}, "expression.type_mismatch"),
        ("a LIKE 'x'", {"a": 5}, "expression.type_mismatch"),
        ("a[1]", {"a": 5}, "expression.type_mismatch"),
        ("a['x']", {"a": [1]}, "expression.type_mismatch"),
        ("a.b", {"a": "text"}, "expression.type_mismatch"),
        ("a AND true", {"a": [1]}, "expression.type_mismatch"),
        ("a AND true", {"a": "maybe"}, "expression.cast"),
        ("a || [1]", {"a": "x"}, "expression.type_mismatch"),
        ("year(a)", {"a": "soon"}, "expression.cast"),
        ("year(a)", {"a": 5}, "expression.type_mismatch"),
        ("a::INTEGER", {"a": 2**31}, "expression.cast"),
        ("a::DATE", {"a": "2013-02-30"}, "expression.cast"),
        ("a::JSON", {"a": "{"}, "expression.cast"),
        ("DATE '9999-12-31' + a", {"a": 1}, "expression.overflow"),
        ("TIMESTAMP '2013-01-01' + to_years(a)", {"a": 9000}, "expression.overflow"),
        ("chr(a)", {"a": -1}, "expression.domain"),
        ("unhex(a)", {"a": "xyz"}, "expression.domain"),
        ("a ~ b", {"a": "x", "b": "("}, "expression.domain"),
        ("{'a': 1} = a", {"a": {"b": 1}}, "expression.type_mismatch"),
    ],
)
def test_a_record_that_fails(text: str, record: dict[str, object], code: str) -> None:
    with pytest.raises(RecordError) as caught:
        run(text, **record)
    assert caught.value.code == code
    assert code in CODES
    assert caught.value.message


def test_nan_is_equal_to_itself_and_the_greatest() -> None:
    assert run("a = a AND a > 1e308 AND NOT a < 5 AND a >= b AND b <= a", a=math.nan, b=math.inf) is True


@pytest.mark.parametrize("text", ["2013-01-01 10:00:00.123+01", "2013-01-01T10:00:00.123+01:00"])
def test_an_offset_of_hours_is_an_offset_whatever_the_digits_before_it(text: str) -> None:
    assert instant(text) == dt.datetime(2013, 1, 1, 9, 0, 0, 123_000)
    assert run("CAST(a AS TIMESTAMP)", a=text) == dt.datetime(2013, 1, 1, 10, 0, 0, 123_000)


@pytest.mark.parametrize(("text", "kind"), [("+-inf", "DOUBLE"), ("--nan", "DOUBLE"), ("9" * 5000 + ":00", "INTERVAL")])
def test_text_that_is_almost_a_value_is_none(text: str, kind: str) -> None:
    assert run(f"TRY_CAST(a AS {kind})", a=text) is None


class RecordScope(FunctionScope):
    """Metadata from locals named like it."""


def test_the_metadata_of_a_record() -> None:
    text = (
        "[meta_key(), meta_partition(), meta_offset() + 1, meta_timestamp(), header('trace'), header('none'), "
        "header('empty'), now(), today(), current_timestamp, current_date]"
    )
    scope = RecordScope("record")
    names = "record, key, partition, offset, timestamp_ms, headers, now_ms"
    function = eval(f"lambda {names}: {emit(parse(text), scope)}", dict(scope.constants))  # noqa: S307 (our own source)
    headers = (("trace", b"old"), ("other", b"x"), ("trace", b"new"), ("empty", b"y"), ("empty", None))
    now = dt.datetime(2013, 1, 2, 3, 4, 5)
    values = function({}, b"k", "flights/0", 41, 1_000, headers, 1_357_095_845_000)
    moments = [dt.datetime(1970, 1, 1, 0, 0, 1), "new", None, None, now, now.date(), now, now.date()]
    assert values == ["k", "flights/0", 42, *moments]
    assert function({}, None, "p", 0, 0, (), 0)[0] is None


def test_a_key_that_is_no_text_fails_the_record() -> None:
    scope = FunctionScope("record")
    source = emit(parse("meta_key()"), scope)
    with pytest.raises(RecordError):
        eval(source, {**scope.constants, "key": b"\xff"})  # noqa: S307 (our own source)


def test_values_json_has_no_type_for_have_a_text() -> None:
    values = [Decimal("1.50"), Interval(1, 2, 3_000_000), b"a\xff", dt.time(1, 2, 3)]
    assert run("to_json(a)", a=values) == '[1.5,"1 month 2 days 00:00:03","a\\\\xFF","01:02:03"]'


def test_several_expressions_share_one_function() -> None:
    scope = FunctionScope("d")
    texts = ["a + 1", "a + b", "upper(c) || a", "a + 1", "CASE a WHEN 1 THEN b ELSE a * 2 END"]
    sources = [emit(parse(text), scope) for text in texts]
    function = eval(f"lambda d: [{', '.join(sources)}]", dict(scope.constants))  # noqa: S307 (our own source)
    assert function({"a": 2, "b": 3, "c": "x"}) == [3, 5, "X2", 3, 4]


def test_an_expression_may_read_the_source_of_another() -> None:
    class Inlining(FunctionScope):
        def field(self, name: str) -> str:
            return emit(parse("a * 2 + b"), self) if name == "total" else super().field(name)

    scope = Inlining("d")
    source = emit(parse("total * total > 10 AND total BETWEEN b AND 100"), scope)
    assert eval(source, {**scope.constants, "d": {"a": 2, "b": 1}}) is True  # noqa: S307 (our own source)
