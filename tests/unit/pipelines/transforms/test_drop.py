from __future__ import annotations

from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import finding, node, run, stage, transformed
from wire.core.errors import ConfigError
from wire.pipelines.transforms.names import quoted


@pytest.mark.parametrize(
    ("paths", "row", "left"),
    [
        (["a"], {"a": 1, "b": 2}, {"b": 2}),
        (["a", "missing"], {"a": 1, "b": 2}, {"b": 2}),
        (["a", "a.b"], {"a": {"b": 1}}, {}),
        (["a.b"], {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
        (["a.b.c"], {"a": {"b": {"c": 1, "d": 2}, "e": 3}}, {"a": {"b": {"d": 2}, "e": 3}}),
        (["a.b", "a.c"], {"a": {"b": 1, "c": 2}}, {"a": {}}),
        (["a.b"], {"a": "text"}, {"a": "text"}),
        (["a.b"], {"a": None}, {"a": None}),
        (["a.b"], {"b": 1}, {"b": 1}),
        (['"a.b"', 'c."d ""e"""'], {"a.b": 1, "a": {"b": 2}, "c": {'d "e"': 3}}, {"a": {"b": 2}, "c": {}}),
    ],
)
def test_fields_are_taken_away(paths: list[str], row: dict[str, Any], left: dict[str, Any]) -> None:
    assert transformed([{"drop": paths}], row) == [left]
    explicit = {"select": ", ".join(quoted(name) for name in row)}
    assert transformed([explicit, {"drop": paths}], row) == [left]


def test_what_was_dropped_is_null_from_then_on() -> None:
    steps = [{"drop": ["a", "b.c"]}, {"select": "*, a AS x, b.c AS y, b.d AS z"}]
    assert transformed(steps, {"a": 1, "b": {"c": 2, "d": 3}}) == [{"b": {"d": 3}, "x": None, "y": None, "z": 3}]


def test_what_was_copied_before_stays() -> None:
    assert transformed([{"select": "*, a AS copy"}, {"drop": ["a.b"]}], {"a": {"b": 1}}) == [
        {"a": {}, "copy": {"b": 1}}
    ]


def test_the_order_of_what_is_left_is_kept() -> None:
    (record,) = run(stage({"drop": ["b"]}), {"c": 1, "b": 2, "a": 3}).outputs[0].records
    assert record.value == b'{"c":1,"a":3}'


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", '"a', 'a"b', '"a"b'])
def test_mistakes_are_found_when_it_is_built(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"drop": ["fine", path]})
    assert finding(caught.value) == ("config.invalid", "$.transforms[0].drop[1]")
