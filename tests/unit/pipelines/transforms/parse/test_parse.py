"""What all kinds of text have in common: where the parts go, NULL, mistakes, tombstones."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.unit.pipelines.lint.kit import check, only
from tests.unit.pipelines.transforms.kit import codes, finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError
from wire.core.formats import CsvFormat
from wire.pipelines.describe import describe
from wire.pipelines.transforms.parse import PLUGIN

KINDS: dict[str, tuple[Any, str, str]] = {
    "json": ("json", '{"x": 1}', "{"),
    "key_value": ("key_value", "x=1", "x"),
    "regex": ({"type": "regex", "pattern": "^x(?P<x>[0-9])"}, "x1", "y1"),
    "url": ("url", "http://x/", "http://x:y/"),
    "timestamp": ("timestamp", "2013-01-01", "soon"),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> tuple[Any, str, str]:
    return KINDS[request.param]


def test_text_that_is_something_else_fails_its_record_or_gives_null(kind: tuple[Any, str, str]) -> None:
    as_, good, bad = kind
    rows = [{"m": good}, {"m": bad}, {"m": good}]
    for into in ({}, {"into": "found"}):
        result = run(stage({"parse": {"expr": "m", "as": as_, **into}}), *rows)
        assert [index for index, _ in result.failures] == [1]
        assert result.failures[0][1].code.startswith("transform.parse.")
        assert result.failures[0][1].hint
        assert len(written(result)) == 2
    lenient = {"expr": "m", "as": as_, "into": "found", "on_error": None}
    assert transformed([{"parse": lenient}], {"m": bad}) == [{"m": bad, "found": None}]


def test_where_nothing_can_be_found_the_fields_are_null(kind: tuple[Any, str, str]) -> None:
    as_, good, bad = kind
    step = {"parse": {"expr": "m", "as": as_, "on_error": None}}
    (usual, broken) = transformed([step], {"m": good}, {"m": bad})
    assert all(value is None for name, value in broken.items() if name != "m")
    if as_ not in ("json", "key_value"):  # the names of theirs are in the text
        assert usual.keys() == broken.keys()


def test_null_gives_null(kind: tuple[Any, str, str]) -> None:
    as_, _, _ = kind
    assert transformed([{"parse": {"expr": "m", "as": as_, "into": "y"}}], {"m": None}, {}) == [
        {"m": None, "y": None},
        {"y": None},
    ]
    for row in transformed([{"parse": {"expr": "m", "as": as_}}], {"m": None}, {}):
        assert all(value is None for value in row.values())


@pytest.mark.parametrize("value", [5, True, [1], {"a": 1}])
def test_what_is_no_text_fails_its_record(kind: tuple[Any, str, str], value: Any) -> None:
    as_, _, _ = kind
    (failure,) = run(stage({"parse": {"expr": "m", "as": as_, "into": "y"}}), {"m": value}).failures
    assert failure[1].code in ("transform.parse.not_text", "transform.parse.invalid")


def test_tombstones_pass(kind: tuple[Any, str, str]) -> None:
    as_, good, _ = kind
    for into in ({}, {"into": "y"}):
        assert transformed([{"parse": {"expr": "m", "as": as_, **into}}], None, {"m": good}, None)[::2] == [None, None]


def test_rows_of_csv_are_parsed_too(kind: tuple[Any, str, str]) -> None:
    as_, good, bad = kind
    compiled = stage({"parse": {"expr": "m", "as": as_, "into": "y"}}, source=CsvFormat(columns=["m"], delimiter="|"))
    result = run(compiled, '"{}"'.format(good.replace('"', '""')).encode(), bad.encode(), b"")
    assert [index for index, _ in result.failures] == [1]
    assert [row["m"] for row in written(result)] == [good, None]


def test_the_text_may_be_computed_and_what_was_found_be_used() -> None:
    steps = [
        {"filter": "n > 0"},
        {"select": "*, n + 1 AS k"},
        {"parse": {"expr": "'{\"a\": ' || k || '}'", "as": "json"}},
        {"parse": {"expr": "'b=' || a", "as": "key_value", "into": "kv"}},
        {"filter": "a = 2"},
        {"select": "a + k AS sum, kv.b AS b"},
    ]
    assert transformed(steps, {"n": 0}, {"n": 1}, {"n": 2}) == [{"sum": 4, "b": "2"}]


def test_a_field_is_replaced_and_what_was_copied_from_it_stays() -> None:
    steps = [{"select": "*, m AS copy"}, {"parse": {"expr": "m", "as": "json", "into": "m"}}]
    assert transformed(steps, {"m": "[1]"}) == [{"m": [1], "copy": "[1]"}]


def test_an_expression_that_fails_is_not_mistaken_for_text_that_does() -> None:
    step = {"parse": {"expr": "CAST(m AS BIGINT)", "as": "json", "into": "y", "on_error": None}}
    assert codes(run(stage(step), {"m": "x"})) == [(0, "expression.cast")]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"expr": "m"}, ".as"),
        ({"as": "json"}, ".expr"),
        ({"expr": "m +", "as": "json"}, ".expr"),
        ({"expr": "m", "as": "xml"}, ".as"),
        ({"expr": "m", "as": {"type": "xml"}}, ".as"),
        ({"expr": "m", "as": {"pattern": "a"}}, ".as.type"),
        ({"expr": "m", "as": "regex"}, ".as.pattern"),
        ({"expr": "m", "as": "json", "on_error": "skip"}, ".on_error"),
        ({"expr": "upper(m)", "as": "timestamp"}, ".into"),
        ({"expr": "m", "as": {"type": "key_value", "separator": ""}}, ".as.separator"),
        ({"expr": "m", "as": {"type": "key_value", "between": "="}}, ".as.between"),
        ("m", ""),
    ],
)
def test_mistakes_are_found_when_it_is_built(config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"parse": config})
    assert finding(caught.value)[1] == f"$.transforms[0].parse{path}"


def test_every_setting_is_described() -> None:
    fields = {field.name: field for field in describe(PLUGIN.config)}
    assert {"expr", "as", "into", "on_error", "as.pattern", "as.formats", "as.separator"} <= fields.keys()
    assert all(field.description for field in fields.values())


def test_without_its_library_lint_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ua_parser", None)
    head = "name: x\nsource: {type: generate}\nsink: {type: drop}\ntransforms:\n"
    assert check(f"{head}  - parse: {{expr: m, as: json}}\n").findings == ()
    found = only(check(f"{head}  - parse: {{expr: m, as: user_agent}}\n"))
    assert (found.code, found.severity) == ("config.missing_dependency", "warning")
    assert found.hint == "pip install 'wire-cluster[useragent]'"
