from __future__ import annotations

from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import codes, finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError


@pytest.mark.parametrize(
    ("kind", "value", "cast"),
    [
        ("bigint", "12", 12),
        ("double", "1.5", 1.5),
        ("varchar", 7, "7"),
        ("boolean", "yes", True),
        ("decimal(10,2)", "1.005", 1.01),
        ("date", "2013-01-01T10:00:00Z", "2013-01-01"),
        ("timestamp", "2013-01-01 10:00:00", "2013-01-01T10:00:00Z"),
        ("bigint[]", ["1", 2], [1, 2]),
        ("bigint", None, None),
    ],
)
def test_types_are_those_of_expressions(kind: str, value: Any, cast: Any) -> None:
    assert transformed([{"cast": {"a": kind}}], {"a": value, "b": 0}) == [{"a": cast, "b": 0}]
    assert transformed([{"select": "a"}, {"cast": {"a": kind}}], {"a": value}) == [{"a": cast}]


def test_what_is_not_there_stays_away() -> None:
    assert transformed([{"cast": {"a": "bigint"}}], {"b": 1}) == [{"b": 1}]
    assert transformed([{"select": "b"}, {"cast": {"a": "bigint"}}], {"b": 1}) == [{"b": 1}]


def test_what_does_not_fit_fails_or_becomes_null() -> None:
    rows = [{"a": "x", "b": "y"}, {"a": "1", "b": "2"}]
    assert codes(run(stage({"cast": {"a": "bigint"}}), *rows)) == [(0, "expression.cast")]
    result = run(stage({"cast": {"a": {"type": "bigint", "on_error": None}, "b": {"type": "varchar"}}}), *rows)
    assert written(result) == [{"a": None, "b": "y"}, {"a": 1, "b": "2"}]


def test_later_transforms_see_the_type() -> None:
    steps = [
        {"cast": {"a": "bigint", 'odd "name"': "double"}},
        {"filter": "a > 9"},
        {"select": 'a + "odd ""name""" AS s'},
    ]
    assert transformed(steps, {"a": "10", 'odd "name"': "1"}, {"a": "9"}) == [{"s": 11.0}]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"a": "bigit"}, ".a"),
        ({"a": "bigint) + (1"}, ".a"),
        ({"a": {"type": "bigint", "on_error": "x"}}, ".a.on_error"),
    ],
)
def test_mistakes_are_found_when_it_is_built(config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"cast": config})
    assert finding(caught.value)[1] == f"$.transforms[0].cast{path}"
    assert caught.value.findings[0].column is None
