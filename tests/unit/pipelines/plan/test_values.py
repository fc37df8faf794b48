from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import ALL, node
from wire.core.clock import SystemClock
from wire.core.config import Expression
from wire.core.formats import CsvFormat, Format, JsonFormat, RawFormat
from wire.pipelines.plan import OutputPlan, ValuesResult, compile_values_stage


def values(
    source: Format, transforms: list[dict[str, Any]], *given: Any, outputs: tuple[OutputPlan, ...] = (ALL,)
) -> ValuesResult:
    stage = compile_values_stage(source, [node(transform) for transform in transforms], outputs, SystemClock())
    return asyncio.run(stage.run(given))


def test_values_go_in_and_come_out_without_formats() -> None:
    transforms = [{"filter": "a > 1"}, {"select": "*, a * 2 AS b"}]
    result = values(JsonFormat(), transforms, {"a": 1}, {"a": 2, "c": [1]})
    assert result == ValuesResult([[{"a": 2, "c": [1], "b": 4}]], 1, [])


def test_what_comes_out_is_as_json_would_show_it() -> None:
    result = values(JsonFormat(), [{"select": "a, TIMESTAMP '2013-01-01 10:00:00' AS t"}], {"a": dt.date(2013, 1, 1)})
    assert result.outputs == [[{"a": "2013-01-01", "t": "2013-01-01T10:00:00Z"}]]


def test_text_is_read_as_the_type_its_column_declares() -> None:
    source = CsvFormat(types={"n": "bigint", "t": "timestamp"})
    given = [{"n": "7", "t": "2013-01-01T10:00:00Z"}, {"n": 7}, {"n": "x"}, {"other": "x"}]
    result = values(source, [{"select": "n + 1 AS n, hour(t) AS h"}], *given)
    assert result.outputs == [[{"n": 8, "h": 10}, {"n": 8, "h": None}, {"n": None, "h": None}]]
    assert [(index, error.code) for index, error in result.failures] == [(2, "record.decode")]


def test_failures_point_into_the_input() -> None:
    given = [{"a": "1"}, 3, {"a": "x"}, "text", None, {"a": "2"}]
    result = values(JsonFormat(), [{"cast": {"a": "bigint"}}], *given)
    assert [(index, error.code) for index, error in result.failures] == [
        (1, "record.not_an_object"),
        (2, "expression.cast"),
        (3, "record.not_an_object"),
    ]
    assert result.outputs == [[{"a": 1}, None, {"a": 2}]]


def test_each_sink_has_its_output() -> None:
    outputs = (OutputPlan("x", RawFormat(), Expression("a > 1"), {"key": Expression("a")}), ALL)
    assert values(JsonFormat(), [], {"a": 1}, {"a": 2}, outputs=outputs).outputs == [[{"a": 2}], [{"a": 1}, {"a": 2}]]


@pytest.mark.parametrize("transforms", [[{"drop": ["a"]}], [{"python": "builtins:list"}, {"select": "*, 1 AS a"}]])
def test_the_input_is_left_as_it_is(transforms: list[dict[str, Any]]) -> None:
    given = {"a": {"b": 1}}
    values(JsonFormat(), transforms, given)
    assert given == {"a": {"b": 1}}
