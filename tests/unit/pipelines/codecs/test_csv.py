from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.pipelines.transforms.kit import JSON, codes, finding, run, stage, written
from wire.core.config import Expression
from wire.core.errors import ConfigError
from wire.core.formats import ColumnType, CsvFormat
from wire.pipelines.plan import OutputPlan

ABC = CsvFormat(columns=["a", "b", "c"], types={"b": "bigint"})
TO_CSV = OutputPlan("out", CsvFormat(columns=["a", "b"]))


def test_cells_become_fields_of_their_types() -> None:
    assert written(run(stage(source=ABC), b"x,7,", b'"a, ""b""\nc",-1,z\r\n')) == [
        {"a": "x", "b": 7, "c": None},
        {"a": 'a, "b"\nc', "b": -1, "c": "z"},
    ]


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("boolean", "true", True),
        ("boolean", "F", False),
        ("bigint", "-9223372036854775808", -(2**63)),
        ("bigint", " 12 ", 12),
        ("double", "1.5e3", 1500.0),
        ("double", "7", 7.0),
        ("varchar", "007", "007"),
        ("date", "2013-01-31", "2013-01-31"),
        ("timestamp", "2013-01-01T10:00:00Z", "2013-01-01T10:00:00Z"),
        ("timestamp", "2013-01-01 10:00:00.5+02:00", "2013-01-01T08:00:00.500000Z"),
        ("bigint", "", None),
        ("timestamp", "", None),
    ],
)
def test_each_type_is_read(kind: ColumnType, cell: str, value: Any) -> None:
    for transforms in ([], [{"select": "x"}], [{"filter": "true"}, {"rename": {"x": "y"}}, {"rename": {"y": "x"}}]):
        compiled = stage(*transforms, source=CsvFormat(columns=["x"], types={"x": kind}))
        assert written(run(compiled, b'"%s"' % cell.encode())) == [{"x": value}]


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("boolean", "maybe"),
        ("bigint", "1.5"),
        ("bigint", "1_000"),
        ("bigint", "٣"),
        ("bigint", "9223372036854775808"),
        ("double", "1_0.5"),
        ("double", "x"),
        ("date", "2013-02-30"),
        ("timestamp", "yesterday"),
    ],
)
def test_a_bad_cell_fails_its_record_and_names_the_column(kind: ColumnType, cell: str) -> None:
    compiled = stage(source=CsvFormat(columns=["id", "x"], types={"x": kind}))
    result = run(compiled, b"1,", b"2,%s" % cell.encode(), b"3,")
    ((index, error),) = result.failures
    assert (index, error.code, error.message) == (1, "record.decode", f"column `x`: {cell!r} is not a {kind}")
    assert [row["id"] for row in written(result)] == ["1", "3"]


def test_cells_that_mean_null_are_null_in_any_type() -> None:
    form = CsvFormat(columns=["a", "b"], types={"b": "bigint"}, nulls=["NA", "-"])
    assert written(run(stage(source=form), b"NA,-", b",3")) == [{"a": None, "b": None}, {"a": "", "b": 3}]
    no_nulls = CsvFormat(columns=["a", "b"], types={"b": "bigint"}, nulls=[])
    result = run(stage(source=no_nulls), b",1", b"x,")
    assert written(result) == [{"a": "", "b": 1}]
    assert codes(result) == [(1, "record.decode")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"1,2", "the row has 2 cells, and there are 3 columns"),
        (b"1,2,3,4", "the row has 4 cells, and there are 3 columns"),
        (b"", "the row has 1 cell, and there are 3 columns"),
        (b'1,2,"open', "the row is not well-formed CSV: unexpected end of data"),
        (b'1,2,"x"y', "the row is not well-formed CSV: ',' expected after '\"'"),
        (b"1,2,\xff", "the row is not UTF-8 text: invalid start byte at byte 4"),
        (b"1,2,a\nb,2,3", "the row is not well-formed CSV: new-line character seen in unquoted field"),
    ],
)
def test_a_malformed_row_fails_alone(row: bytes, message: str) -> None:
    result = run(stage({"select": "a"}, source=ABC), b"x,1,", row, b"y,2,")
    ((index, error),) = result.failures
    assert (index, error.code) == (1, "record.decode")
    assert message in error.message
    assert written(result) == [{"a": "x"}, {"a": "y"}]


def test_a_quote_left_open_does_not_swallow_the_rows_behind_it() -> None:
    result = run(stage(source=ABC), b'"a,1,', b'b,2,"', b"c,3,")
    assert codes(result) == [(0, "record.decode"), (1, "record.decode")]
    assert [row["a"] for row in written(result)] == ["c"]


@pytest.mark.parametrize("quoted", [b"", b'"x"'])
def test_an_empty_row_of_one_column_is_a_null(quoted: bytes) -> None:
    result = run(stage(source=CsvFormat(columns=["a"])), b"", quoted, b"\r\n")
    assert [row["a"] for row in written(result)] == [None, quoted.decode().strip('"') or None, None]


def test_tombstones_among_rows_pass() -> None:
    assert written(run(stage({"select": "b"}, source=ABC), b"x,1,", None, b"y,2,")) == [{"b": 1}, None, {"b": 2}]


def test_only_cells_that_are_needed_are_read() -> None:
    assert written(run(stage({"select": "a"}, source=ABC), b"x,not a number,")) == [{"a": "x"}]


def test_other_delimiters() -> None:
    source, sink = CsvFormat(columns=["a", "b"], delimiter=";"), CsvFormat(columns=["b", "a"], delimiter="|")
    result = run(stage({"select": "b, a"}, source=source, outputs=[OutputPlan("out", sink)]), b"1,5;x|y")
    assert [record.value for record in result.outputs[0].records] == [b'"x|y"|1,5']


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (CsvFormat(columns=["a"], delimiter=""), "delimiter"),
        (CsvFormat(columns=["a"], delimiter=";;"), "delimiter"),
        (CsvFormat(columns=["a"], delimiter='"'), "delimiter"),
        (CsvFormat(columns=["a"], delimiter="\n"), "delimiter"),
        (CsvFormat(columns=["a", "b", "a"]), "columns"),
    ],
)
def test_a_format_no_row_can_have_is_a_mistake(form: CsvFormat, field: str) -> None:
    for place, compiled in (("source", lambda: stage(source=form)), ("sink", lambda: stage(outputs=[csv_to(form)]))):
        with pytest.raises(ConfigError) as caught:
            compiled()
        assert finding(caught.value) == ("config.invalid", f"$.{place}.config.format.{field}")


def csv_to(form: CsvFormat) -> OutputPlan:
    return OutputPlan("out", form)


def test_columns_must_be_known_to_decode_but_not_to_pass_bytes_on() -> None:
    with pytest.raises(ConfigError) as caught:
        stage(source=CsvFormat())
    assert finding(caught.value) == ("format.unreadable", "$.source.config.format")
    assert run(stage({"filter": '"offset" >= 0 OR true'}, source=ABC, outputs=[OutputPlan("o", ABC)]), b"x,,").outputs


def test_rows_of_the_same_columns_pass_untouched() -> None:
    sink = OutputPlan("out", CsvFormat(columns=["a", "b", "c"]))
    rows = [b'"x",1,', b"y,2,z\r\n"]
    result = run(stage({"filter": "b > 0"}, source=ABC, outputs=[sink]), *rows)
    assert [record.value for record in result.outputs[0].records] == rows


@pytest.mark.parametrize(
    ("sink", "row"),
    [
        (CsvFormat(columns=["c", "b", "a"]), b",1,x"),
        (CsvFormat(columns=["a", "b", "c"], delimiter=";"), b"x;1;"),
        (CsvFormat(columns=["a", "b", "c"], nulls=["NULL"]), b"x,1,NULL"),
    ],
)
def test_rows_that_would_mean_something_else_are_written_anew(sink: CsvFormat, row: bytes) -> None:
    result = run(stage(source=ABC, outputs=[OutputPlan("out", sink)]), b"x,1,")
    assert [record.value for record in result.outputs[0].records] == [row]


def csv_written(transforms: list[dict[str, Any]], form: CsvFormat, *values: Any) -> list[bytes | None]:
    result = run(stage(*transforms, outputs=[OutputPlan("out", form)]), *values)
    assert result.failures == []
    return [record.value for record in result.outputs[0].records]


@pytest.mark.parametrize("transforms", [[], [{"select": "a, b"}]])
def test_columns_are_written_in_order_and_what_is_missing_is_null(transforms: list[dict[str, Any]]) -> None:
    form = CsvFormat(columns=["b", "a"])
    assert csv_written(transforms, form, {"a": "x", "b": 1}, {"a": "y"}, {}) == [b"1,x", b",y", b","]
    nulls = CsvFormat(columns=["b", "a"], nulls=["NA", "-"])
    assert csv_written(transforms, nulls, {"a": 'say "hi", you\n'}) == [b'NA,"say ""hi"", you\n"']


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (True, b"true"),
        (1.5, b"1.5"),
        (2**70, b"%d" % 2**70),
        ([1, "x"], b'"[1,""x""]"'),
        ({"n": None}, b'"{""n"":null}"'),
    ],
)
def test_values_are_written_as_they_are_read(value: Any, cell: bytes) -> None:
    for transforms in ([], [{"select": "a"}]):
        assert csv_written(transforms, CsvFormat(columns=["a"]), {"a": value}) == [cell]


def test_timestamps_are_written_as_they_are_read() -> None:
    select = {"select": "TIMESTAMP '2013-01-01 10:00:00' AS a, DATE '2013-01-01' AS b"}
    assert csv_written([select], CsvFormat(columns=["a", "b"]), {}) == [b"2013-01-01T10:00:00Z,2013-01-01"]


def test_a_field_without_a_column_fails_its_record_where_it_turns_up_in_mid_stream() -> None:
    result = run(stage(outputs=[TO_CSV]), {"a": 1}, {"a": 1, "x": 2, "b": 3}, {"b": 4})
    assert codes(result) == [(1, "record.unknown_column")]
    assert "`x`" in result.failures[0][1].message
    assert [record.value for record in result.outputs[0].records] == [b"1,", b",4"]


def test_a_field_without_a_column_is_a_mistake_where_the_transforms_make_it() -> None:
    with pytest.raises(ConfigError) as caught:
        stage({"select": "a, b, a AS d"}, outputs=[TO_CSV])
    assert finding(caught.value) == ("format.unwritable", "$.sink.config.format")


def test_columns_to_write_must_be_known_unless_a_select_names_them() -> None:
    with pytest.raises(ConfigError) as caught:
        stage(outputs=[OutputPlan("out", CsvFormat())])
    assert finding(caught.value) == ("format.unwritable", "$.sink.config.format")
    assert csv_written([{"select": "b, a"}], CsvFormat(), {"a": 1, "b": 2}) == [b"2,1"]


@settings(deadline=None)
@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=2), max_size=5))
def test_rows_are_read_as_the_standard_library_reads_them(rows: list[list[str]]) -> None:
    buffers = []
    for row in rows:
        buffer = io.StringIO()
        csv.writer(buffer).writerow(row)
        buffers.append(buffer.getvalue().encode())
    compiled = stage(source=CsvFormat(columns=["a", "b"], nulls=[]))
    assert written(run(compiled, *buffers)) == [{"a": a, "b": b} for a, b in rows]


cells = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8"), min_size=1)


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries({"a": cells, "b": st.none() | st.text('ab, "\n\r', min_size=1)}), max_size=5))
def test_what_is_written_is_read_back(rows: list[dict[str, Any]]) -> None:
    form = CsvFormat(columns=["a", "b"])
    encoded = csv_written([], form, *rows)
    back = written(run(stage(source=form, outputs=[OutputPlan("o", JSON, columns={"k": Expression("b")})]), *encoded))
    assert back == [{"a": None if row["a"] is None else str(row["a"]), "b": row["b"]} for row in rows]
    assert json.dumps(back)
