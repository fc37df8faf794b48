from __future__ import annotations

from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import finding, node, run, stage, transformed
from wire.core.errors import ConfigError


@pytest.mark.parametrize(
    ("names", "row", "renamed"),
    [
        ({"a": "x"}, {"a": 1, "b": 2}, {"x": 1, "b": 2}),
        ({"missing": "x"}, {"a": 1}, {"a": 1}),
        ({"a": "b", "b": "a"}, {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ({"a": "b", "b": "c"}, {"a": 1, "b": 2}, {"b": 1, "c": 2}),
        ({"a": "b"}, {"a": 1, "b": 2}, {"b": 1}),
        ({"missing": "b"}, {"b": 2}, {}),
        ({"a": "a"}, {"a": 1}, {"a": 1}),
        ({"a": "b"}, {"a": None}, {"b": None}),
    ],
)
def test_fields_get_new_names(names: dict[str, str], row: dict[str, Any], renamed: dict[str, Any]) -> None:
    assert transformed([{"rename": names}], row) == [renamed]
    seen = transformed([{"rename": names}, {"select": "a, b, c, x"}], row)
    assert seen == [{name: renamed.get(name) for name in "abcx"}]
    read_before = transformed([{"filter": "a IS NULL OR a = 1"}, {"rename": names}, {"select": "a, b, c, x"}], row)
    assert read_before == seen


def test_a_closed_record_keeps_its_order() -> None:
    (record,) = run(stage({"select": "c, b, a"}, {"rename": {"b": "x"}}), {"a": 1}).outputs[0].records
    assert record.value == b'{"c":null,"x":null,"a":1}'


def test_renames_follow_each_other() -> None:
    steps = [{"rename": {"a": "b"}}, {"rename": {"b": "c"}}, {"select": "*, c + 1 AS a"}, {"rename": {"a": "b"}}]
    assert transformed(steps, {"a": 1}) == [{"c": 1, "b": 2}]


def test_two_fields_cannot_get_one_name() -> None:
    with pytest.raises(ConfigError) as caught:
        node({"rename": {"a": "x", "b": "x"}})
    assert finding(caught.value) == ("config.invalid", "$.transforms[0].rename.b")
