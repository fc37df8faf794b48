from __future__ import annotations

import traceback
from typing import Annotated, Any

import pytest
from msgspec import field

from tests.unit.pipelines.transforms.kit import ALL, JSON, batch, codes, finding, run, stage, transformed, written
from wire.core.config import ByRecord, Config, Expression, doc
from wire.core.errors import ConfigError, FatalError, RecordError, RetryableError, UnavailableError
from wire.core.formats import CsvFormat, TextFormat
from wire.core.records import Batch, PartitionId, Position, Record
from wire.pipelines.plan import Builder, OutputPlan, compile_stage, sink_expressions


def to(name: str = "out", when: str | None = None, **columns: str) -> OutputPlan:
    condition = None if when is None else Expression(when)
    return OutputPlan(name, JSON, condition, {column: Expression(text) for column, text in columns.items()})


# what an output consists of


def test_an_output_has_the_place_of_its_input() -> None:
    result = run(stage({"filter": "a > 1"}, {"select": "a + 1 AS b"}), {"a": 1}, {"a": 2})
    (out,) = result.outputs
    assert (out.partition, out.position, out.watermark_ms, out.columns) == ("p", b"after", 5, None)
    assert out.records == [Record(b'{"b":3}', b"k1", 1001, (("h", b"1"),), 10)]
    assert (result.filtered, result.failures) == (1, [])


def test_a_batch_without_records_still_moves_the_position() -> None:
    (out,) = stage({"filter": "a"}).run(Batch(PartitionId("p"), Position(b"x"), [])).outputs
    assert (out.records, out.position) == ([], b"x")


@pytest.mark.parametrize(
    "transforms",
    [
        [],
        [{"filter": "a = 1"}],
        [{"filter": "meta_key() IS NOT NULL"}],
        [{"filter": "a = 1"}, {"select": "*"}],
        [{"timestamp": "a"}],
    ],
)
def test_bytes_that_nothing_changes_are_passed_on_as_they_are(transforms: list[dict[str, Any]]) -> None:
    value = b' { "a" : 1.0, "b":"\\u0041", "b" : [ ] }\n'
    (record,) = run(stage(*transforms), value).outputs[0].records
    assert record.value is value or record.value == value


def test_what_no_transform_needs_is_not_decoded() -> None:
    assert [r.value for r in run(stage(), b"not json").outputs[0].records] == [b"not json"]
    assert [r.value for r in run(stage({"filter": "true"}), b"not json").outputs[0].records] == [b"not json"]


def test_records_without_changes_are_not_even_copied() -> None:
    compiled, records = stage({"filter": "a > 0"}), batch(b'{"a": 1}')
    assert compiled.run(records).outputs[0].records[0] is records.records[0]


def test_the_input_batch_is_left_alone() -> None:
    records = batch(b'{"a": 1}', None)
    before = [Record(r.value, r.key, r.ts_ms, r.headers, r.offset) for r in records.records]
    stage({"select": "*, 2 AS a"}, {"timestamp": "a"}, outputs=[to(key="a")]).run(records)
    assert records.records == before
    assert records.columns is None


# failures


def test_a_record_that_fails_an_expression_fails_alone() -> None:
    compiled = stage({"select": "CAST(a AS BIGINT) AS a"})
    result = run(compiled, {"a": "1"}, {"a": "x"}, {"a": "3"})
    assert written(result) == [{"a": 1}, {"a": 3}]
    assert codes(result) == [(1, "expression.cast")]


class Raising:
    """A transform that raises what it is given, for records with the field `bad`."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def emit(self, builder: Builder) -> None:
        builder.statement(f"if {builder.field('bad')}: {builder.constant(self.throw)}()")

    def throw(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecordError("record.encode", "x"), "record.encode"),
        (ZeroDivisionError("x"), "record.failed"),
        (MemoryError(), "record.failed"),
        (RecursionError(), "record.decode"),
    ],
)
def test_whatever_a_transform_raises_is_the_failure_of_one_record(error: Exception, code: str) -> None:
    compiled = compile_stage(JSON, "test", [Raising(error)], [ALL])
    result = run(compiled, {"a": 1}, {"bad": True}, {"a": 2})
    assert codes(result) == [(1, code)]
    assert written(result) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("error", [FatalError("config.invalid"), RetryableError("config.invalid"), KeyboardInterrupt()])
def test_errors_that_are_not_the_records_stop_the_batch(error: BaseException) -> None:
    compiled = compile_stage(JSON, "test", [Raising(error)], [ALL])
    with pytest.raises(type(error)):
        run(compiled, {"bad": True})


def test_a_traceback_shows_the_generated_source() -> None:
    compiled = compile_stage(JSON, "flights", [Raising(FatalError("config.invalid"))], [ALL])
    with pytest.raises(FatalError) as caught:
        run(compiled, {"bad": True})
    text = "".join(traceback.format_exception(caught.value))
    assert "for flights>" in text
    assert "raw = " in compiled.source


def paths(*transforms: dict[str, Any], values: list[Any], **options: Any) -> list[str | None]:
    """Run values and return the paths of their failures."""
    return [error.path for _, error in run(stage(*transforms, **options), *values).failures]


def test_a_failure_names_the_transform_that_failed() -> None:
    transforms: list[dict[str, Any]] = [
        {"filter": "a > 1"},
        {"select": "CAST(b AS BIGINT) AS b"},
        {"cast": {"b": "DATE"}},
    ]
    values = [{"a": "x"}, {"a": 2, "b": "x"}, {"a": 2, "b": 3}]
    assert paths(*transforms, values=values) == [f"$.transforms[{i}]" for i in range(3)]


def test_a_failure_of_a_transform_over_many_records_names_it_too() -> None:
    transforms = [{"filter": "a > 1"}, {"python": "json:loads"}, {"filter": "a > 1"}]
    assert paths(*transforms, values=[{"a": 2}]) == ["$.transforms[1]"]


def test_what_is_wrong_with_json_is_said_once() -> None:
    ((_, error),) = run(stage({"filter": "a"}), b"\x00").failures
    assert error.message == "the value is not valid JSON: invalid character (byte 0)"


def test_a_transform_that_can_not_be_compiled_is_named() -> None:
    with pytest.raises(UnavailableError) as caught:
        stage({"filter": "a"}, {"lookup": {"file": "nowhere.csv", "key": "a", "select": "b"}})
    assert caught.value.path == "$.transforms[1]"


def test_a_value_that_can_not_be_decoded_is_the_sources_fault() -> None:
    form = CsvFormat(columns=["a", "b"], types={"b": "bigint"})
    transforms = [{"filter": "a <> 'x'"}, {"select": "b + 1 AS b"}]
    assert paths(*transforms, values=[b"y,z", b"1,2,3"], source=form) == ["$.source.config.format"] * 2
    assert paths({"filter": "a > 1"}, values=[b"{"]) == ["$.source.config.format"]


def test_a_failure_behind_the_transforms_names_the_sink() -> None:
    outputs = [OutputPlan("one", JSON, path="$.sinks[0]"), OutputPlan("two", TextFormat(), path="$.sinks[1]")]
    assert paths({"select": "*"}, values=[{"a": 1}], outputs=outputs) == ["$.sinks[1]"]
    when = OutputPlan("one", JSON, Expression("a > 1"), path="$.sinks[0]")
    assert paths(values=[{"a": "x"}], outputs=[when]) == ["$.sinks[0]"]


# sinks


def test_every_sink_gets_what_its_condition_says() -> None:
    outputs = [
        to("small", "a < 10"),
        to("even", "a % 2 = 0"),
        to("late", "meta_timestamp() >= '1970-01-01 00:00:01.003'"),
    ]
    result = run(stage({"select": "a"}, outputs=outputs), {"a": 1}, {"a": 10}, {"a": 11}, {"a": 13}, {"a": 4})
    assert [written(result, i) for i in range(3)] == [
        [{"a": 1}, {"a": 4}],
        [{"a": 10}, {"a": 4}],
        [{"a": 13}, {"a": 4}],
    ]
    assert result.filtered == 1


def test_a_sink_without_a_condition_gets_everything() -> None:
    result = run(stage(outputs=[to("some", "a > 1"), to("all")]), {"a": 1}, {"a": 2})
    assert [len(out.records) for out in result.outputs] == [1, 2]
    assert result.filtered == 0


def test_sinks_of_one_format_share_the_bytes() -> None:
    result = run(stage({"select": "a"}, outputs=[to("x", "a > 0"), to("y", "a > 1")]), {"a": 2})
    assert result.outputs[0].records[0] is result.outputs[1].records[0]


def test_each_sink_gets_its_format() -> None:
    csv = OutputPlan("csv", CsvFormat(columns=["a", "b"]), Expression("b IS NOT NULL"))
    result = run(stage({"filter": "a > 0"}, outputs=[ALL, csv]), b'{"a":  1}', b'{"a": 2, "b": true}')
    assert [record.value for record in result.outputs[0].records] == [b'{"a":  1}', b'{"a": 2, "b": true}']
    assert [record.value for record in result.outputs[1].records] == [b"2,true"]


def test_columns_are_computed_for_the_records_that_go_to_their_sink() -> None:
    outputs = [
        to("x", "a > 1", key="upper(b)", **{"headers.n": "a * 10"}),
        to("y", topic="b || '-' || meta_partition()"),
    ]
    result = run(stage({"drop": ["b"]}, {"select": "*, 'q' AS b"}, outputs=outputs), {"a": 1}, {"a": 2}, {"a": 3})
    assert result.outputs[0].columns == {"key": ["Q", "Q"], "headers.n": [20, 30]}
    assert result.outputs[1].columns == {"topic": ["q-p"] * 3}


def test_columns_see_the_record_as_it_is_sent() -> None:
    outputs = [to(key="a", old="b", both="c")]
    result = run(stage({"rename": {"b": "a"}}, {"select": "*, a + 1 AS c"}, outputs=outputs), {"a": 1, "b": 2})
    assert written(result) == [{"a": 2, "c": 3}]
    assert result.outputs[0].columns == {"key": [2], "old": [None], "both": [3]}


def test_a_record_goes_to_all_its_sinks_or_to_none() -> None:
    text = OutputPlan("text", TextFormat())
    outputs = [to("first", key="a"), to("failing", "a > 1", key="CAST(b AS BIGINT)"), text]
    result = run(
        stage({"select": "*, 1 AS one"}, outputs=outputs[:2]), {"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 3}
    )
    assert codes(result) == [(1, "expression.cast")]
    assert [len(out.records) for out in result.outputs] == [2, 1]
    assert [out.columns for out in result.outputs] == [{"key": [1, 3]}, {"key": [None]}]
    result = run(stage({"select": "a AS value"}, outputs=[to(), text]), {"a": 1}, {})
    assert codes(result) == [(1, "record.encode")]
    assert [len(out.records) for out in result.outputs] == [1, 1]


@pytest.mark.parametrize(
    ("output", "path"),
    [(to(when="a >"), "$.sink.when"), (to(key="no_such(a)"), "$.sink.config.key")],
)
def test_mistakes_in_a_sinks_expressions_name_their_place(output: OutputPlan, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        stage(outputs=[output])
    assert finding(caught.value)[1] == path
    assert caught.value.findings[0].column is not None


# tombstones


def test_tombstones_pass_conditions_and_changes_that_need_fields() -> None:
    transforms = [{"filter": "a > 1"}, {"select": "a"}, {"drop": ["b"]}, {"timestamp": "a"}, {"cast": {"a": "double"}}]
    result = run(stage(*transforms), None, {"a": 2}, None)
    assert written(result) == [None, {"a": 2.0}, None]
    assert [record.key for record in result.outputs[0].records] == [b"k0", b"k1", b"k2"]
    assert [record.ts_ms for record in result.outputs[0].records] == [1000, 2, 1002]


def test_conditions_on_metadata_apply_to_tombstones() -> None:
    result = run(stage({"filter": "meta_offset() >= 10"}), None, None)
    assert [record.offset for record in result.outputs[0].records] == [10]
    assert result.filtered == 1


def test_tombstones_go_to_every_sink_that_cannot_tell() -> None:
    outputs = [
        to("x", "a > 1"),
        to("y", "a <= 1", key="coalesce(b, 'none')", id="meta_key()"),
        to("z", "meta_offset() > 0"),
    ]
    result = run(stage(outputs=outputs), None, {"a": 5})
    assert [written(result, i) for i in range(3)] == [[None, {"a": 5}], [None], [{"a": 5}]]
    assert result.outputs[1].columns == {"key": ["none"], "id": ["k0"]}


def test_tombstones_keep_their_place_among_records_that_pass_a_callable() -> None:
    result = run(stage({"filter": "a > 0"}, {"python": "builtins:list"}), {"a": 1}, None, {"a": 2}, None)
    assert written(result) == [{"a": 1}, None, {"a": 2}, None]


# expressions in configurations


class Inner(Config, frozen=True):
    """Something nested."""

    topic: Annotated[str | ByRecord, doc("Literal or computed.")] = "t"
    note: str = "not an expression"


class SinkConfig(Config, frozen=True):
    """A sink with expressions everywhere."""

    key: Expression | None = None
    topic: str | ByRecord = "t"
    inner: Inner = field(default_factory=Inner)
    headers: dict[str, Expression] = field(default_factory=dict)
    several: list[Inner] = field(default_factory=list)


def test_expressions_are_found_anywhere_in_a_configuration() -> None:
    config = SinkConfig(
        key=Expression("a"),
        topic=ByRecord(expr=Expression("b")),
        inner=Inner(topic=ByRecord(expr=Expression("c"))),
        headers={"x-y": Expression("d")},
        several=[Inner(), Inner(topic=ByRecord(expr=Expression("e")))],
    )
    assert sink_expressions(config) == {
        "key": "a",
        "topic": "b",
        "inner.topic": "c",
        "headers.x-y": "d",
        "several.1.topic": "e",
    }
    assert sink_expressions(SinkConfig()) == {}


# nothing a user writes becomes code (I10)


@pytest.mark.parametrize(
    "name", ["'", '"', "\\", "\n", "x'] = 1; import os; y['", "\u2028", "{0}", "%s", "null", "row", "r"]
)
def test_names_are_only_ever_names(name: str) -> None:
    sql = '"' + name.replace('"', '""') + '"'
    transforms: list[dict[str, Any]] = [
        {"select": f"*, {sql} AS copy, 1 AS {sql}"},
        {"rename": {name: "renamed", "copy": name}},
        {"cast": {name: "varchar"}},
    ]
    assert transformed(transforms, {name: "v"}) == [{"renamed": 1, name: "v"}]
    result = run(stage({"drop": [sql]}, outputs=[to(**{name: "1"})]), {name: 1, "z": 2})
    assert written(result) == [{"z": 2}]
    assert result.outputs[0].columns == {name: [1]}
