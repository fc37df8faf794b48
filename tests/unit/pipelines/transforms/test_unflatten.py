from __future__ import annotations

from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import codes, run, stage, transformed, written

FLAT = {"a.b.c": 1, "e.0": 3, "g": 5, "e.1.x": 4, "a.b.d": 2, "h": {"i.j": 6}}


@pytest.mark.parametrize(
    ("config", "deep"),
    [
        ({}, {"a": {"b": {"c": 1, "d": 2}}, "e": {"0": 3, "1": {"x": 4}}, "g": 5, "h": {"i.j": 6}}),
        ({"arrays": "index"}, {"a": {"b": {"c": 1, "d": 2}}, "e": [3, {"x": 4}], "g": 5, "h": {"i.j": 6}}),
        ({"depth": 1}, {"a": {"b.c": 1, "b.d": 2}, "e": {"0": 3, "1.x": 4}, "g": 5, "h": {"i.j": 6}}),
        ({"separator": "_"}, FLAT),
    ],
)
def test_fields_are_put_where_their_names_say(config: dict[str, Any], deep: dict[str, Any]) -> None:
    assert transformed([{"unflatten": config}], FLAT) == [deep]


@pytest.mark.parametrize(
    ("row", "deep"),
    [
        ({"a.1": 1, "a.0": 0}, {"a": [0, 1]}),
        ({"a.1": 1}, {"a": {"1": 1}}),
        ({"a.0": 0, "a.2": 2}, {"a": {"0": 0, "2": 2}}),
        ({"a.0": 0, "a.x": 1}, {"a": {"0": 0, "x": 1}}),
        ({"a.00": 0}, {"a": {"00": 0}}),
        ({"0": 0, "1": 1}, {"0": 0, "1": 1}),
        ({"a.0.0": 1}, {"a": [[1]]}),
    ],
)
def test_only_names_without_a_gap_make_a_list(row: dict[str, Any], deep: dict[str, Any]) -> None:
    assert transformed([{"unflatten": {"arrays": "index"}}], row) == [deep]


@pytest.mark.parametrize(
    "row",
    [{"a": 1, "a.b": 2}, {"a.b": 2, "a": 1}, {"a": {"x": 1}, "a.b": 2}, {"a": None, "a.b": 2}, {"a.b": 1, "a.b.c": 2}],
)
def test_a_field_that_has_a_value_can_not_hold_others(row: dict[str, Any]) -> None:
    result = run(stage({"unflatten": {}}), row, {"a.b": 1})
    assert codes(result) == [(0, "transform.unflatten.conflict")]
    assert written(result) == [{"a": {"b": 1}}]


def test_a_name_of_very_many_parts_fails_its_record_alone() -> None:
    result = run(stage({"unflatten": {}}), {"a." * 100_000: 1}, {"a": 1}, None)
    assert [index for index, _ in result.failures] == [0]
    assert written(result) == [{"a": 1}, None]
