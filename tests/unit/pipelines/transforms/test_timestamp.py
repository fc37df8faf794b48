from __future__ import annotations

from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import codes, finding, node, run, stage, written
from wire.core.errors import ConfigError

HOUR_10 = 1357034400000  # 2013-01-01T10:00:00Z


def times(config: Any, *rows: Any) -> list[int]:
    result = run(stage({"timestamp": config}), *rows)
    assert result.failures == []
    return [record.ts_ms for record in result.outputs[0].records]


@pytest.mark.parametrize(
    ("value", "ts_ms"),
    [
        ("2013-01-01T10:00:00Z", HOUR_10),
        ("2013-01-01 10:00:00", HOUR_10),
        ("2013-01-01T12:00:00.250+02:00", HOUR_10 + 250),
        ("2013-01-01", HOUR_10 - 36_000_000),
        ("1969-12-31T23:59:59.999Z", -1),
        (HOUR_10, HOUR_10),
        (HOUR_10 + 0.75, HOUR_10),
        (0, 0),
    ],
)
def test_text_and_numbers_are_moments(value: Any, ts_ms: int) -> None:
    assert times("a", {"a": value}) == [ts_ms]


@pytest.mark.parametrize("sql", ["TIMESTAMP '2013-01-01 10:00:00'", "DATE '2013-01-01' + INTERVAL 10 HOUR"])
def test_timestamps_are_utc(sql: str) -> None:
    assert times(sql, {}) == [HOUR_10]
    assert times("DATE '2013-01-01'", {}) == [HOUR_10 - 36_000_000]


@pytest.mark.parametrize(
    ("unit", "value"),
    [("s", 1357034400), ("s", 1357034400.0), ("ms", HOUR_10), ("us", HOUR_10 * 1000), ("ns", HOUR_10 * 10**6)],
)
def test_numbers_count_a_unit(unit: str, value: Any) -> None:
    assert times({"expr": "a", "unit": unit}, {"a": value}) == [HOUR_10]


@pytest.mark.parametrize("value", [None, True, [], {"t": 1}, 10**20, -(10**20)])
def test_what_is_no_moment_fails_its_record(value: Any) -> None:
    result = run(stage({"timestamp": "a"}), {"a": value}, {"a": 5})
    assert codes(result) == [(0, "transform.timestamp.invalid")]
    assert [record.ts_ms for record in result.outputs[0].records] == [5]


def test_text_that_is_no_moment_fails_its_record() -> None:
    assert codes(run(stage({"timestamp": "a"}), {"a": "yesterday"})) == [(0, "expression.cast")]


def test_only_the_event_time_changes() -> None:
    result = run(stage({"timestamp": "a"}), b'{"a":  1}')
    (record,) = result.outputs[0].records
    assert (record.value, record.key, record.headers, record.offset) == (b'{"a":  1}', b"k0", (("h", b"0"),), 0)
    assert result.outputs[0].watermark_ms is None  # the source's promise was about other times


def test_later_transforms_see_the_new_event_time() -> None:
    steps = [{"timestamp": "a"}, {"python": "builtins:list"}, {"select": "meta_timestamp() AS t"}]
    result = run(stage(*steps), {"a": HOUR_10})
    assert written(result) == [{"t": "2013-01-01T10:00:00Z"}]
    assert [record.ts_ms for record in result.outputs[0].records] == [HOUR_10]


@pytest.mark.parametrize(
    ("config", "path"), [("a +", ""), ({"expr": "a +"}, ".expr"), ({"expr": "a", "unit": "h"}, ".unit")]
)
def test_mistakes_are_found_when_it_is_built(config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"timestamp": config})
    assert finding(caught.value)[1] == f"$.transforms[0].timestamp{path}"
