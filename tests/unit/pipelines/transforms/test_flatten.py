from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipelines.transforms.kit import codes, finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError
from wire.core.formats import CsvFormat

NESTED = {"a": {"b": {"c": 1, "d": 2}}, "e": [{"f": 3}, [4]], "g": 5}


@pytest.mark.parametrize(
    ("config", "flat"),
    [
        ({}, {"a.b.c": 1, "a.b.d": 2, "e": [{"f": 3}, [4]], "g": 5}),
        ({"separator": "__"}, {"a__b__c": 1, "a__b__d": 2, "e": [{"f": 3}, [4]], "g": 5}),
        ({"depth": 1}, {"a.b": {"c": 1, "d": 2}, "e": [{"f": 3}, [4]], "g": 5}),
        ({"arrays": "index"}, {"a.b.c": 1, "a.b.d": 2, "e.0.f": 3, "e.1.0": 4, "g": 5}),
        ({"arrays": "index", "depth": 1}, {"a.b": {"c": 1, "d": 2}, "e.0": {"f": 3}, "e.1": [4], "g": 5}),
    ],
)
def test_fields_of_fields_become_fields(config: dict[str, Any], flat: dict[str, Any]) -> None:
    (result,) = transformed([{"flatten": config}], NESTED)
    assert list(result.items()) == list(flat.items())
    assert transformed([{"select": "a, e, g"}, {"flatten": config}], NESTED) == [flat]


@pytest.mark.parametrize("arrays", ["keep", "index"])
def test_what_is_empty_stays(arrays: str) -> None:
    row = {"a": {}, "b": [], "c": {"d": {}, "e": [], "f": None, "": 1}}
    flat = {"a": {}, "b": [], "c.d": {}, "c.e": [], "c.f": None, "c.": 1}
    assert transformed([{"flatten": {"arrays": arrays}}], row) == [flat]


def test_transforms_before_and_after_it_see_the_record_as_it_is_there() -> None:
    steps = [
        {"filter": "a.b > 0"},
        {"select": "*, a.b + 1 AS n, TIMESTAMP '2013-01-01' AS t"},
        {"rename": {"a": "x"}},
        {"flatten": {"separator": "_"}},
        {"filter": "x_b < 3"},
        {"select": "*, x_b AS y, x AS gone"},
        {"drop": ["x_b"]},
    ]
    assert transformed(steps, {"a": {"b": 0}}, {"a": {"b": 1}}, {"a": {"b": 3}}, None) == [
        {"n": 2, "t": "2013-01-01T00:00:00Z", "y": 1, "gone": None},
        None,
    ]


def test_a_time_inside_a_field_is_written_as_one() -> None:
    steps = [{"select": "{'t': TIMESTAMP '2013-01-01'} AS a"}, {"flatten": {}}]
    assert transformed(steps, {}) == [{"a.t": "2013-01-01T00:00:00Z"}]


def test_rows_of_csv_are_flat_already() -> None:
    source = CsvFormat(columns=["a", "b"])
    assert written(run(stage({"flatten": {}}, source=source), b"1,x", None)) == [{"a": "1", "b": "x"}, None]


@pytest.mark.parametrize(
    "row", [{"a.b": 1, "a": {"b": 2}}, {"a": {"b": 2}, "a.b": 1}, {"a": {"b.c": 1, "b": {"c": 2}}}]
)
def test_two_fields_of_one_name_fail_their_record(row: dict[str, Any]) -> None:
    result = run(stage({"flatten": {}}), row, {"a": {"b": 1}})
    assert codes(result) == [(0, "transform.flatten.conflict")]
    assert written(result) == [{"a.b": 1}]


def test_a_record_whose_names_would_fill_the_memory_fails() -> None:
    row = {"x" * 100_000: {str(i): i for i in range(200)}}
    assert codes(run(stage({"flatten": {}}), row)) == [(0, "transform.flatten.too_large")]


def test_a_record_nested_too_deeply_fails_alone() -> None:
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    result = run(stage({"flatten": {}}), deep, {"a": 1})
    assert written(result)[-1] == {"a": 1}


@pytest.mark.parametrize(
    ("config", "path"),
    [({"separator": ""}, ".separator"), ({"depth": 0}, ".depth"), ({"arrays": "drop"}, ".arrays"), ("a", "")],
)
@pytest.mark.parametrize("name", ["flatten", "unflatten"])
def test_mistakes_are_found_when_it_is_built(name: str, config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({name: config})
    assert finding(caught.value) == ("config.invalid", f"$.transforms[0].{name}{path}")


NAMES = st.text(st.sampled_from("ab0"), max_size=2)
VALUES = st.recursive(
    st.none() | st.integers(0, 9),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=10,
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=4)


def paths(value: Any, lists: bool, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Flatten, the obvious way."""
    if value and (isinstance(value, dict) or (lists and isinstance(value, list))):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {name: leaf for part, inner in items for name, leaf in paths(inner, lists, (*path, str(part))).items()}
    return {".".join(path): value}


@given(RECORDS, st.sampled_from(["keep", "index"]))
def test_every_leaf_is_found_at_its_path(record: dict[str, Any], arrays: str) -> None:
    flat = paths(record, arrays == "index") if record else {}
    assert transformed([{"flatten": {"arrays": arrays}}], record) == [flat]


@given(RECORDS)
def test_there_and_back(record: dict[str, Any]) -> None:
    assert transformed([{"flatten": {}}, {"unflatten": {}}], record) == [record]
