from __future__ import annotations

import pytest

from tests.unit.pipelines.transforms.kit import finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError


def test_only_what_is_true_stays() -> None:
    result = run(stage({"filter": "a > 1"}), {"a": 2}, {"a": 1}, {"a": None}, {}, {"a": 3.5})
    assert written(result) == [{"a": 2}, {"a": 3.5}]
    assert result.filtered == 3


def test_filters_apply_in_order() -> None:
    assert transformed([{"filter": "a > 1"}, {"filter": "a < 3"}], *({"a": i} for i in range(5))) == [{"a": 2}]


def test_a_filter_spares_what_comes_behind_it() -> None:
    assert transformed([{"filter": "a IS NOT NULL"}, {"select": "CAST(a AS BIGINT) AS a"}], {"a": "1"}, {}) == [
        {"a": 1}
    ]


@pytest.mark.parametrize("text", [True, "true", 1])
def test_constants_are_conditions(text: object) -> None:
    assert transformed([{"filter": text}], {"a": 1}) == [{"a": 1}]


@pytest.mark.parametrize("config", ["a >", [], {}, None])
def test_mistakes_are_found_when_it_is_built(config: object) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"filter": config})
    assert finding(caught.value)[1] == "$.transforms[0].filter"
