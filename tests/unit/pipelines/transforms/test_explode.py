from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.pipelines.transforms.kit import batch, codes, finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError
from wire.core.formats import CsvFormat

ITEMS = [{"n": 1}, "two", None]


@pytest.mark.parametrize(
    ("config", "made"),
    [
        ("items", [{"id": 7, "items": item} for item in ITEMS]),
        ({"field": "items", "into": "item"}, [{"id": 7, "item": item} for item in ITEMS]),
        (
            {"field": "items", "into": "id", "ordinal": "items"},
            [{"id": item, "items": n} for n, item in enumerate(ITEMS, 1)],
        ),
        (
            {"field": "items", "into": "items", "ordinal": "n"},
            [{"id": 7, "items": item, "n": n} for n, item in enumerate(ITEMS, 1)],
        ),
    ],
)
def test_every_item_becomes_a_record(config: Any, made: list[Any]) -> None:
    assert transformed([{"explode": config}], {"id": 7, "items": ITEMS}) == made
    assert transformed([{"select": "*"}, {"explode": config}], {"id": 7, "items": ITEMS}) == made


def test_records_made_of_one_share_its_coordinates_and_are_told_apart() -> None:
    result = run(stage({"explode": "items"}), {"items": [1]}, {"items": [2, 3]})
    (out,) = result.outputs
    assert [(r.offset, r.ordinal, r.key, r.ts_ms, r.headers) for r in out.records] == [
        (0, 0, b"k0", 1000, (("h", b"0"),)),
        (10, 0, b"k1", 1001, (("h", b"1"),)),
        (10, 1, b"k1", 1001, (("h", b"1"),)),
    ]


@pytest.mark.parametrize("row", [{"id": 1}, {"id": 1, "items": None}, {"id": 1, "items": []}])
def test_what_has_no_items_is_dropped_or_kept(row: dict[str, Any]) -> None:
    dropped = run(stage({"explode": "items"}), row, {"items": [1]})
    assert (written(dropped), dropped.filtered, dropped.failures) == ([{"items": 1}], 1, [])
    keeping = {"explode": {"field": "items", "into": "item", "ordinal": "n", "empty": "keep"}}
    assert transformed([keeping], row) == [{"id": 1, "item": None, "n": None}]


@pytest.mark.parametrize("value", [1, "a", {"a": 1}, False])
def test_what_is_no_list_fails_its_record(value: Any) -> None:
    result = run(stage({"explode": "items"}), {"items": value}, {"items": [1]}, None)
    assert codes(result) == [(0, "transform.explode.not_a_list")]
    assert result.failures[0][1].path == "$.transforms[0].explode" or result.failures[0][1].path == "$.transforms[0]"
    assert written(result) == [{"items": 1}, None]


def test_too_many_items_fail_their_record() -> None:
    step = {"explode": {"field": "a", "max_items": 2}}
    result = run(stage(step), {"a": [1, 2, 3]}, {"a": [1, 2]})
    assert codes(result) == [(0, "transform.explode.too_many")]
    assert written(result) == [{"a": 1}, {"a": 2}]


def test_a_time_in_a_record_is_written_as_one() -> None:
    for select in ("*, TIMESTAMP '2013-01-01' AS t", "a, TIMESTAMP '2013-01-01' AS t", "[TIMESTAMP '2013-01-01'] AS a"):
        (row,) = transformed([{"select": select}, {"explode": "a"}], {"a": [1]})
        assert "2013-01-01T00:00:00Z" in row.values()


def test_tombstones_pass() -> None:
    assert transformed([{"explode": "items"}, {"filter": "items > 1"}], None, {"items": [1, 2]}, None) == [
        None,
        {"items": 2},
        None,
    ]


def test_lists_may_be_made_from_a_cell() -> None:
    source = CsvFormat(columns=["id", "tags"])
    compiled = stage({"select": "id, string_split(tags, ' ') AS tag"}, {"explode": "tag"}, source=source)
    assert written(run(compiled, b"1,a b", b"2,")) == [{"id": "1", "tag": "a"}, {"id": "1", "tag": "b"}]


@given(st.lists(st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=3), max_size=4))
def test_exploding_twice_gives_all_items_in_order_and_no_id_twice(rows: list[list[list[int]]]) -> None:
    result = run(stage({"explode": "a"}, {"explode": "a"}), *({"a": row} for row in rows))
    flat = [(10 * i, item) for i, row in enumerate(rows) for inner in row for item in inner]
    records = result.outputs[0].records
    assert [(record.offset, row["a"]) for record, row in zip(records, written(result), strict=True)] == flat
    assert len({(record.offset, record.ordinal) for record in records}) == len(records)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({}, ".field"),
        ({"field": "a", "ordinal": "a"}, ".ordinal"),
        ({"field": "a", "into": "b", "ordinal": "b"}, ".ordinal"),
        ({"field": "a", "max_items": 0}, ".max_items"),
        ({"field": "a", "empty": "fail"}, ".empty"),
    ],
)
def test_mistakes_are_found_when_it_is_built(config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"explode": config})
    assert finding(caught.value)[1] == f"$.transforms[0].explode{path}"


def test_parts_of_records_that_share_an_offset_differ_by_the_ordinals_their_source_gave() -> None:
    given = batch(b'{"items": [1, 2]}', b'{"items": [3, 4]}')
    given.records = [replace(record, offset=9, ordinal=i << 20) for i, record in enumerate(given.records)]
    (out,) = stage({"explode": "items"}).run(given).outputs
    assert [(record.offset, record.ordinal) for record in out.records] == [
        (9, 0),
        (9, 1),
        (9, 1 << 20),
        (9, (1 << 20) + 1),
    ]
