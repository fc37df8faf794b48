from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.pipelines.transforms.kit import codes, run, stage, transformed, written
from wire.core.errors import RecordError
from wire.pipelines.codecs.json import encode
from wire.pipelines.expressions.values import Interval

EXPLICIT = stage({"select": "a"})  # decodes the field it needs
WHOLE = stage({"select": "*, 1 AS one"})  # decodes everything

HUGE = [2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**40, -(10**400)]


@pytest.mark.parametrize("number", HUGE)
def test_whole_numbers_of_any_size_stay_exact(number: int) -> None:
    value = b'{"a": %d}' % number
    assert written(run(EXPLICIT, value)) == [{"a": number}]
    assert written(run(WHOLE, value)) == [{"a": number, "one": 1}]


def test_of_a_name_given_twice_the_last_one_counts() -> None:
    value = b'{"a": 1, "a": 2}'
    assert written(run(EXPLICIT, value)) == [{"a": 2}]
    assert written(run(WHOLE, value)) == [{"a": 2, "one": 1}]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"{",
        b'{"a": 1} x',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": 01}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b"{'a': 1}",
        b"\xef\xbb\xbf{}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_fails_its_record_alone(value: bytes) -> None:
    for compiled in (EXPLICIT, WHOLE):
        result = run(compiled, {"a": 1}, value, {"a": 2})
        assert codes(result) == [(1, "record.decode")]
        assert [row["a"] for row in written(result)] == [1, 2]


@pytest.mark.parametrize(("value", "found"), [(b"[1]", "array"), (b"3", "int"), (b'"x"', "str"), (b"null", "null")])
def test_json_that_is_no_object_is_told_apart_from_broken_json(value: bytes, found: str) -> None:
    for compiled in (EXPLICIT, WHOLE):
        ((_, error),) = run(compiled, value).failures
        assert (error.code, error.message) == ("record.not_an_object", f"expected a JSON object, found {found}")


def test_absent_and_null_are_both_null_to_expressions() -> None:
    assert transformed([{"select": "a IS NULL AS gone, a"}], {}, {"a": None}, {"a": 0}) == [
        {"gone": True, "a": None},
        {"gone": True, "a": None},
        {"gone": False, "a": 0},
    ]


def test_names_need_not_be_identifiers() -> None:
    name = "über \"quoted\" \\ 'names' \n class"
    quoted = '"' + name.replace('"', '""') + '"'
    assert transformed([{"select": f"{quoted}, upper({quoted}) AS class"}], {name: "x"}) == [{name: "x", "class": "X"}]
    assert transformed([{"select": f"*, 1 AS {quoted}"}], {"a": 1}) == [{"a": 1, name: 1}]


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("TIMESTAMP '2013-01-01 10:00:00'", "2013-01-01T10:00:00Z"),
        ("TIMESTAMP '2013-01-01 10:00:00.25'", "2013-01-01T10:00:00.250000Z"),
        ("DATE '2013-01-01'", "2013-01-01"),
        ("INTERVAL 90 MINUTE", "01:30:00"),
        ("'x'::BLOB", "eA=="),
        ("CAST('NaN' AS DOUBLE)", None),
        ("CAST('-inf' AS DOUBLE)", None),
        ("[DATE '2013-01-01', NULL]", ["2013-01-01", None]),
        (
            "{'at': TIMESTAMP '2013-01-01 10:00:00', 'for': [INTERVAL 1 DAY]}",
            {"at": "2013-01-01T10:00:00Z", "for": ["1 day"]},
        ),
    ],
)
def test_what_json_has_no_type_for_is_written_as_text(sql: str, text: Any) -> None:
    assert transformed([{"select": f"{sql} AS x"}], {"a": 1}) == [{"x": text}]
    assert transformed([{"select": f"*, {sql} AS x"}], {"a": 1}) == [{"a": 1, "x": text}]
    assert transformed([{"select": f"{sql} AS y"}, {"select": "coalesce(z, y) AS x"}], {"a": 1}) == [{"x": text}]
    assert transformed([{"select": f"*, {sql} AS y"}, {"rename": {"y": "x"}}], {"a": 1}) == [{"a": 1, "x": text}]


def test_decimals_are_written_digit_for_digit() -> None:
    digits = "12345678901234567890123456.78901"
    (record,) = run(stage({"select": f"CAST('{digits}' AS DECIMAL(38,5)) AS x"}), {}).outputs[0].records
    assert record.value == b'{"x":%s}' % digits.encode()


@pytest.mark.parametrize(
    "value",
    [object(), {1: "number"}, {None: 1}, {"a": {(1, 2): 3}}, [object()], 1j, "\ud800", {"a": ["\udfff"]}],
)
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(RecordError, match=r"record\.encode"):
        encode(value)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("x"), "x"),
        ({Text("n"): True}, {"n": True}),
        ((1, {2}), [1, [2]]),
        (Decimal("NaN"), None),
        (Decimal("1e3"), 1000),
        (Interval(14, 0, 1), "1 year 2 months 00:00:00.000001"),
        (dt.datetime(2013, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2013-01-01T00:00:00+02:00"),
        (float("inf"), None),
    ],
)
def test_values_of_callables_are_written_as_json_has_them(value: Any, expected: Any) -> None:
    assert json.loads(encode(value)) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_records_come_out_as_they_went_in(row: dict[str, Any]) -> None:
    assert msgspec.json.decode(encode(row)) == row
    assert transformed([{"drop": ["no such field"]}], row) == [row]
