from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipelines.transforms.kit import codes, run, stage, transformed

INTO = {"parse": {"expr": "m", "as": "json", "into": "y"}}
FIELDS = {"parse": {"expr": "m", "as": "json"}}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_any_json_may_be_a_field(value: Any) -> None:
    (row,) = transformed([INTO], {"m": json.dumps(value)})
    assert json.dumps(row["y"]) == json.dumps(value)


@given(st.dictionaries(st.sampled_from("abm"), VALUES), st.dictionaries(st.sampled_from("ab"), st.integers()))
def test_the_fields_of_an_object_replace_those_of_the_record(found: dict[str, Any], row: dict[str, Any]) -> None:
    row["m"] = json.dumps(found)
    assert transformed([FIELDS], row) == [{**row, **found}]


@pytest.mark.parametrize("text", ["[1]", "5", '"a"', "null"])
def test_only_an_object_has_fields(text: str) -> None:
    (failure,) = run(stage(FIELDS), {"m": text}).failures
    assert failure[1].code == "transform.parse.invalid"
    assert "`into`" in str(failure[1].hint)
    assert transformed([{"parse": {**FIELDS["parse"], "on_error": None}}], {"m": text}) == [{"m": text}]


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "NaN", '{"a": 1} x', '"\\ud800"', "[" * 100_000])
def test_what_is_no_json_is_told_from_what_is(text: str) -> None:
    assert codes(run(stage(INTO), {"m": text}, {"m": "1"})) == [(0, "transform.parse.invalid")]


def test_keys_of_records_may_be_json() -> None:
    step = {"parse": {"expr": "meta_key()", "as": "json", "into": "key", "on_error": None}}
    assert transformed([step], {"a": 1}) == [{"a": 1, "key": None}]  # the kit's keys are not
