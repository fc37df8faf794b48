from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipelines.lint.kit import check, only
from tests.unit.pipelines.transforms.kit import codes, finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError, UnavailableError
from wire.core.formats import CsvFormat
from wire.core.plugins import load

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        "items": {"type": "array", "items": {"properties": {"price": {"type": "number", "minimum": 0}}}},
    },
    "required": ["id"],
}


def validating(schema: Any) -> dict[str, Any]:
    return {"validate": {"schema": schema}}


@pytest.mark.parametrize(
    ("row", "places"),
    [
        ({"id": "7"}, ['`$.id`: "7" is not of type "integer"']),
        ({}, ['`$`: "id" is a required property']),
        ({"id": 1, "at": "noon"}, ['`$.at`: "noon" is not a "date-time"']),
        (
            {"id": 1, "items": [{"price": 1}, {}, {"price": -1}]},
            ["`$.items[2].price`: -1 is less than the minimum of 0"],
        ),
        ({"at": 5, "items": 6}, ["`$`: ", "`$.at`: ", "`$.items`: "]),
    ],
)
def test_what_does_not_fit_fails_with_its_place(row: dict[str, Any], places: list[str]) -> None:
    result = run(stage(validating(ORDER)), {"id": 1}, row, None, {"id": 2, "items": []})
    assert codes(result) == [(1, "transform.validate.failed")]
    assert all(place in result.failures[0][1].message for place in places), result.failures
    assert result.failures[0][1].path == "$.transforms[0]"
    assert written(result) == [{"id": 1}, None, {"id": 2, "items": []}]


def test_what_fits_is_passed_on_as_the_bytes_it_came_in() -> None:
    result = run(stage(validating(ORDER)), b'{ "id":  1}')
    assert result.outputs[0].records[0].value == b'{ "id":  1}'


def test_only_the_first_places_are_named_and_long_values_are_shortened() -> None:
    row = {"id": "x" * 10_000, "items": [{"price": -1}] * 5}
    (failure,) = run(stage(validating(ORDER)), row).failures
    assert failure[1].message.endswith("(and 3 more)")
    assert "not of type" in failure[1].message
    assert len(failure[1].message) < 1000


def test_transforms_before_and_after_it_see_the_record_as_it_is_there() -> None:
    schema = {"properties": {"n": {"type": "integer"}, "a": False}, "required": ["n"]}
    steps = [{"rename": {"a": "n"}}, validating(schema), {"rename": {"n": "a"}}, {"select": "*, a + 1 AS b"}]
    assert transformed(steps, {"a": 1}) == [{"a": 1, "b": 2}]
    assert codes(run(stage(*steps), {"a": "1"})) == [(0, "transform.validate.failed")]
    steps = [{"select": "a AS n"}, validating(schema), {"select": "n"}]
    assert transformed(steps, {"a": 1}) == [{"n": 1}]


def test_values_of_types_json_lacks_are_checked_as_json_shows_them() -> None:
    schema = {"properties": {"t": {"const": "2013-01-01T10:00:00Z"}, "d": {"format": "date"}}, "required": ["t", "d"]}
    select = {"select": "TIMESTAMP '2013-01-01 10:00:00' AS t, DATE '2013-01-01' AS d"}
    assert len(transformed([select, validating(schema)], {})) == 1
    source = CsvFormat(columns=["t", "d"], types={"t": "timestamp", "d": "date"})
    result = run(stage(validating(schema), source=source), b"2013-01-01T10:00:00,2013-01-01", b"2013-01-01 11:00:00,")
    assert codes(result) == [(1, "transform.validate.failed")]


@pytest.mark.parametrize(
    "draft", ["http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema#"]
)
def test_older_drafts_are_known(draft: str) -> None:
    schema = {
        "$schema": draft,
        "definitions": {"n": {"type": "integer"}},
        "additionalProperties": {"$ref": "#/definitions/n"},
    }
    assert codes(run(stage(validating(schema)), {"a": 1}, {"a": "b"})) == [(1, "transform.validate.failed")]


def test_a_file_holds_the_schema(tmp_path: Path) -> None:
    file = tmp_path / "order.schema.json"
    file.write_text(json.dumps(ORDER))
    for config in (str(file), {"file": str(file)}):
        assert codes(run(stage({"validate": config}), {"id": 1}, {})) == [(1, "transform.validate.failed")]


@pytest.mark.parametrize(
    ("schema", "place", "message"),
    [
        ({"properties": {"a": {"type": "objekt"}}}, ".properties.a.type", "objekt"),
        ({"required": "a"}, ".required", "array"),
        ({"properties": {"a": {"pattern": "("}}}, ".properties.a.pattern", "regex"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, ".properties.a.pattern", "regex"),
        ({"$ref": "#/$defs/none"}, "", "/$defs/none"),
        ({"$ref": "https://example.com/schema.json"}, "", "outside"),
        ({"$ref": "file:///etc/hostname"}, "", "outside"),
        ({"$ref": "other.json"}, "", "outside"),
        ({"$schema": "https://example.com/mine"}, "", "meta-schema"),
    ],
)
def test_mistakes_in_the_schema_are_found_when_it_is_compiled(
    tmp_path: Path, schema: Any, place: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        stage(validating(schema))
    assert finding(caught.value) == ("config.invalid", f"$.transforms[0].validate.schema{place}")
    assert message in caught.value.message
    assert caught.value.hint
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema))
    with pytest.raises(ConfigError) as caught:
        stage({"validate": {"file": str(file)}})
    assert finding(caught.value) == ("config.invalid", "$.transforms[0].validate.file")
    assert f"`${place}`" in caught.value.message
    assert str(file) in caught.value.message


def test_a_file_that_is_no_json_or_not_there(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    node({"validate": str(file)})  # building does not read it
    with pytest.raises(UnavailableError, match=r"transform\.validate\.unreadable"):
        stage({"validate": str(file)})
    for text in ("{", "5"):
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            stage({"validate": str(file)})
        assert finding(caught.value)[1] == "$.transforms[0].validate.file"


@pytest.mark.parametrize(
    ("config", "path"),
    [({}, ""), ({"file": "a", "schema": {}}, ""), ({"schema": "a"}, ".schema"), ({"fiel": "a"}, ".fiel"), (5, "")],
)
def test_mistakes_are_found_when_it_is_built(config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"validate": config})
    assert finding(caught.value)[1] == f"$.transforms[0].validate{path}"


def test_without_the_library_lint_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    load("transform", "validate")
    text = "name: x\nsource: {type: generate}\nsink: {type: drop}\ntransforms:\n  - validate: a.json\n"
    found = only(check(text))
    assert (found.code, found.severity, found.path) == (
        "config.missing_dependency",
        "warning",
        "$.transforms[0].validate",
    )
    assert found.hint == "pip install 'wire-cluster[validate]'"


LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "bb"])
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from("ab"), v), max_leaves=6
)
SCHEMAS = st.recursive(
    st.sampled_from(
        [{}, {"type": "integer"}, {"type": ["string", "null"]}, {"minimum": 0}, {"maxLength": 1}, {"const": 1}]
    ),
    lambda s: st.one_of(
        st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from("ab"), s), "required": st.just(["a"])}),
        st.fixed_dictionaries({"items": s}),
        st.fixed_dictionaries({"anyOf": st.lists(s, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"not": s}),
    ),
    max_leaves=4,
)


@given(SCHEMAS, st.lists(st.dictionaries(st.sampled_from("ab"), VALUES), max_size=4))
def test_it_judges_as_the_reference_does(schema: Any, rows: list[dict[str, Any]]) -> None:
    fits = jsonschema.Draft202012Validator(schema).is_valid
    result = run(stage(validating(schema)), *rows)
    assert written(result) == [row for row in rows if fits(row)]
    assert [index for index, _ in result.failures] == [index for index, row in enumerate(rows) if not fits(row)]
