from __future__ import annotations

import pytest

from tests.unit.pipelines.transforms.kit import finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError


def test_without_a_star_the_record_is_what_is_named_in_this_order() -> None:
    (record,) = run(stage({"select": "b, a AS x, missing"}), {"a": 1, "b": 2, "c": 3}).outputs[0].records
    assert record.value == b'{"b":2,"x":1,"missing":null}'


def test_a_star_keeps_what_is_there() -> None:
    select = {"select": "* EXCLUDE (c), a + b AS sum, upper(d) AS d"}
    assert transformed([select], {"a": 1, "b": 2, "c": 3, "d": "x"}) == [{"a": 1, "b": 2, "d": "X", "sum": 3}]
    (record,) = run(stage({"select": "*, 0 AS a, 1 AS z"}), {"a": 1, "b": 2}).outputs[0].records
    assert record.value == b'{"a":0,"b":2,"z":1}'  # a replaced field stays where it was


def test_a_star_replaces() -> None:
    assert transformed([{"select": "* REPLACE (a * 2 AS a), a AS b"}], {"a": 1}) == [{"a": 2, "b": 1}]


def test_all_items_see_the_record_as_it_was() -> None:
    assert transformed([{"select": "b AS a, a AS b"}], {"a": 1, "b": 2}) == [{"a": 2, "b": 1}]
    assert transformed([{"select": "*, b AS a, a AS b"}], {"a": 1, "b": 2}) == [{"a": 2, "b": 1}]
    assert transformed([{"select": "* EXCLUDE (a), a + 1 AS b"}], {"a": 1}) == [{"b": 2}]


def test_selects_see_what_earlier_ones_made() -> None:
    steps = [{"select": "a + 1 AS b"}, {"select": "*, b * 2 AS c, a AS gone"}, {"filter": "c > 4"}, {"select": "c"}]
    assert transformed(steps, {"a": 1}, {"a": 2}) == [{"c": 6}]


def test_nested_fields_are_named_after_their_last_part() -> None:
    assert transformed([{"select": "a.b, a.c AS d"}], {"a": {"b": 1}}) == [{"b": 1, "d": None}]


def test_an_expression_that_fails_fails_its_record_even_where_its_value_is_dropped() -> None:
    result = run(stage({"select": "*, CAST(a AS BIGINT) AS b"}, {"drop": ["b"]}), {"a": "x"}, {"a": "1"})
    assert [index for index, _ in result.failures] == [0]
    assert written(result) == [{"a": "1"}]


@pytest.mark.parametrize("text", ["", "a +", "a, a", "a + 1", "a FROM b", "count(*)"])
def test_mistakes_are_found_when_it_is_built(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"select": text})
    assert finding(caught.value)[1] == "$.transforms[0].select"
