from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.unit.pipelines.transforms.kit import batch, finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError
from wire.core.formats import CsvFormat
from wire.core.records import Batch, PartitionId
from wire.pipelines.stage import StageResult

ROWS = [{"n": n, "user": n % 100} for n in range(10_000)]


def kept(config: Any, rows: list[Any] = ROWS) -> list[Any]:
    return [row["n"] for row in transformed([{"sample": config}], *rows)]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("key", [{}, {"key": "n"}])
def test_about_the_share_that_was_asked_for_is_kept(rate: float, key: dict[str, str]) -> None:
    assert abs(len(kept({"rate": rate, **key})) - rate * len(ROWS)) < 200  # four standard deviations at least


@pytest.mark.parametrize(("rate", "count"), [(0, 0), (1, len(ROWS)), (1.0, len(ROWS))])
def test_all_and_nothing(rate: float, count: int) -> None:
    assert len(kept(rate)) == len(kept({"rate": rate, "key": "user"})) == count


def test_what_is_dropped_is_counted() -> None:
    result = run(stage({"sample": 0.5}), *ROWS)
    assert result.filtered == len(ROWS) - len(written(result))


def test_the_records_of_a_key_stay_together_whatever_else_they_hold() -> None:
    chosen = {n % 100 for n in kept({"rate": 0.3, "key": "user"})}
    assert kept({"rate": 0.3, "key": "user"}) == [n for n in range(10_000) if n % 100 in chosen]
    assert kept({"rate": 0.3, "key": "user + 0"}, ROWS[::-1]) == [n for n in range(9_999, -1, -1) if n % 100 in chosen]


@pytest.mark.parametrize(
    ("key", "row"),
    [("a", {"a": "x"}), ("a", {"a": [1, {"b": 2.5}]}), ("CAST(a AS DATE)", {"a": "2013-01-01"}), ("meta_key()", {})],
)
def test_any_value_may_be_the_key(key: str, row: dict[str, Any]) -> None:
    assert transformed([{"sample": {"rate": 1, "key": key}}], row, {"a": None}) == [row, {"a": None}]


def test_the_decisions_of_a_key_never_change() -> None:
    """They are part of what users rely on: two pipelines, or two versions of Wire, choose the same users."""
    assert sorted({n % 100 for n in kept({"rate": 0.1, "key": "user"})}) == USERS


USERS = [0, 2, 9, 14, 22, 40, 63, 67, 76, 86, 98]


def sampled(config: Any, given: Batch) -> StageResult:
    return stage({"sample": config}).run(given)


def test_a_record_that_is_read_again_is_decided_as_before_however_it_is_batched() -> None:
    whole = batch(*(msgspec.json.encode(row) for row in ROWS[:500]))
    offsets = [record.offset for record in sampled(0.3, whole).outputs[0].records]
    parts = [whole.take(range(start, min(start + 7, 500))) for start in range(0, 500, 7)]
    assert [record.offset for part in parts for record in sampled(0.3, part).outputs[0].records] == offsets


def test_partitions_and_seeds_differ() -> None:
    whole = batch(*(msgspec.json.encode(row) for row in ROWS[:500]))
    other = msgspec.structs.replace(whole, partition=PartitionId("q"))
    chosen = [
        [record.offset for record in sampled(config, given).outputs[0].records]
        for config in ({"rate": 0.3}, {"rate": 0.3, "seed": 1})
        for given in (whole, other)
    ]
    assert len({tuple(offsets) for offsets in chosen}) == 4
    assert kept({"rate": 0.3, "key": "user", "seed": 1}) != kept({"rate": 0.3, "key": "user"})


def test_records_made_of_one_are_decided_one_by_one() -> None:
    steps = [{"explode": "items"}, {"sample": 0.5}]
    assert 350 < len(transformed(steps, {"items": list(range(1000))})) < 650


def test_tombstones_pass() -> None:
    assert transformed([{"sample": 0}], None, {"n": 1}, None) == [None, None]
    assert transformed([{"sample": {"rate": 0, "key": "n"}}], None, {"n": 1}, None) == [None, None]


def test_what_is_kept_is_passed_on_as_the_bytes_it_came_in() -> None:
    result = run(stage({"sample": {"rate": 1, "key": "a"}}, source=CsvFormat(columns=["a"])), b'"x"', b"y")
    assert written(result) == [{"a": "x"}, {"a": "y"}]
    assert run(stage({"sample": 1}), b"not JSON").outputs[0].records[0].value == b"not JSON"


@pytest.mark.parametrize(
    ("config", "path"),
    [(1.5, ""), (-0.1, ""), ("10%", ""), ({"rate": 2}, ".rate"), ({"rate": 1, "key": "a +"}, ".key"), ({}, ".rate")],
)
def test_mistakes_are_found_when_it_is_built(config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"sample": config})
    assert finding(caught.value)[1] == f"$.transforms[0].sample{path}"
