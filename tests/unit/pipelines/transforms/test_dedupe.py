from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipelines.transforms.kit import batch, finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError
from wire.core.formats import CsvFormat
from wire.core.records import Batch, PartitionId, Position, Record
from wire.pipelines.transforms.dedupe import Seen

BY_ID: dict[str, Any] = {"dedupe": {"key": "id"}}
MINUTE = 60_000


def at(*rows: tuple[int, Any], partition: str = "p", start: int = 0) -> Batch:
    """Return records with event times in minutes."""
    records = [
        Record(msgspec.json.encode({"id": key}), None, minute * MINUTE, (), start + i)
        for i, (minute, key) in enumerate(rows)
    ]
    return Batch(PartitionId(partition), Position(b""), records)


def test_the_first_of_each_key_passes_and_the_others_are_counted() -> None:
    result = run(stage(BY_ID), *({"id": key, "n": n} for n, key in enumerate("abacab")))
    assert [row["n"] for row in written(result)] == [0, 1, 3]
    assert (result.filtered, result.failures) == (3, [])


def test_keys_are_told_apart_by_type_and_value_whatever_they_are() -> None:
    keys = ["1", 1, 1.0, True, [1], {"a": 1}, "x" * 1000, "x" * 1001, 10**30, 10**30 + 1, False, 0, "", -0.5]
    assert transformed([BY_ID], *({"id": key} for key in [*keys, *keys])) == [{"id": key} for key in keys]


def test_records_without_a_key_are_duplicates_of_nothing() -> None:
    assert transformed([BY_ID], {"id": None}, {"id": None}, {}, {}, None, None) == [{"id": None}] * 2 + [{}] * 2 + [
        None,
        None,
    ]


def test_keys_may_be_computed_from_anything_known_about_the_record() -> None:
    assert transformed([{"dedupe": {"key": "upper(id)"}}], {"id": "a"}, {"id": "A"}) == [{"id": "a"}]
    assert len(transformed([{"dedupe": {"key": "meta_key()"}}], {}, {})) == 2  # the kit's records have keys k0, k1…
    assert transformed([{"dedupe": {"key": "[a, b]"}}], {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": 1, "b": 2}) == [
        {"a": 1, "b": 2},
        {"a": 2, "b": 1},
    ]


def test_a_record_that_is_read_again_passes_again_and_its_duplicates_do_not() -> None:
    compiled = stage(BY_ID)
    rows = batch(b'{"id": 1}', b'{"id": 1}', b'{"id": 2}')
    for _ in range(3):
        assert [record.offset for record in compiled.run(rows).outputs[0].records] == [0, 20]
    again = rows.take([1, 2])
    assert [record.offset for record in compiled.run(again).outputs[0].records] == [20]


def test_the_same_offset_of_another_partition_is_another_record() -> None:
    compiled = stage(BY_ID)
    compiled.run(at((0, "a")))
    assert compiled.run(at((0, "a"), partition="q")).filtered == 1


def test_records_made_of_one_may_be_duplicates_of_each_other() -> None:
    steps = [{"explode": "id"}, BY_ID]
    compiled = stage(*steps)
    for _ in range(2):
        assert written(run(compiled, {"id": [1, 2, 1]})) == [{"id": 1}, {"id": 2}]


def test_only_what_is_close_in_event_time_is_a_duplicate() -> None:
    compiled = stage({"dedupe": {"key": "id", "within": "10m"}})
    result = compiled.run(at((0, "a"), (10, "a"), (11, "a"), (20, "a"), (5, "a"), (0, "a"), (11, "a")))
    assert [record.offset for record in result.outputs[0].records] == [0, 2, 5, 6]


def test_the_event_time_is_the_one_set_before() -> None:
    steps = [{"timestamp": "t"}, {"dedupe": {"key": "id", "within": "1s"}}]
    rows = [{"id": 1, "t": 0}, {"id": 1, "t": 1000}, {"id": 1, "t": 1001}]
    assert [row["t"] for row in transformed(steps, *rows)] == [0, 1001]


def test_no_more_than_max_keys_are_remembered() -> None:
    seen = Seen(within_ms=1000, max_keys=3)
    for n in range(100):
        assert seen.first(n, ("p", n, 0), 0)
        assert len(seen) <= 3
    assert [seen.first(n, ("p", 100 + n, 0), 0) for n in (99, 98, 97, 96)] == [False, False, False, True]


def test_what_is_too_old_for_a_duplicate_is_forgotten() -> None:
    seen = Seen(within_ms=1000, max_keys=1000)
    for n in range(500):
        assert seen.first(n, ("p", n, 0), n * 100)
    assert len(seen) == 11


def test_a_record_from_the_future_does_not_make_all_others_look_old() -> None:
    seen = Seen(within_ms=1000, max_keys=1000)
    seen.first("future", ("p", 0, 0), 10**13)
    assert seen.first("a", ("p", 1, 0), 0)
    assert not seen.first("a", ("p", 2, 0), 0)


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from("abc")), max_size=30), st.integers(0, 4))
def test_no_record_is_dropped_without_one_that_passed_close_to_it(rows: list[tuple[int, str]], within: int) -> None:
    result = stage({"dedupe": {"key": "id", "within": f"{within}m"}}).run(at(*rows))
    passed = [rows[record.offset] for record in result.outputs[0].records]
    assert result.filtered + len(passed) == len(rows)
    for minute, key in rows:
        assert any(key == other and abs(minute - then) <= within for then, other in passed)


@given(st.lists(st.tuples(st.just(0), st.sampled_from("abcdef")), max_size=40))
def test_while_memory_lasts_it_is_a_set(rows: list[tuple[int, str]]) -> None:
    result = stage(BY_ID).run(at(*rows))
    assert [row["id"] for row in written(result)] == list(dict.fromkeys(key for _, key in rows))


def test_rows_of_csv_pass_as_the_bytes_they_came_in() -> None:
    result = run(stage(BY_ID, source=CsvFormat(columns=["id", "b"]), outputs=()), b"1,x")
    assert result.outputs == []
    assert written(run(stage(BY_ID, source=CsvFormat(columns=["id"])), b"1", b'"1"', b"2", b"")) == [
        {"id": "1"},
        {"id": "2"},
        {"id": None},
    ]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({}, ".key"),
        ({"key": "a +"}, ".key"),
        ({"key": "a", "within": 10}, ".within"),
        ({"key": "a", "max_keys": 0}, ".max_keys"),
        ("id", ""),
    ],
)
def test_mistakes_are_found_when_it_is_built(config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"dedupe": config})
    assert finding(caught.value)[1] == f"$.transforms[0].dedupe{path}"
