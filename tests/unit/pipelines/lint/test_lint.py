"""Lint: every mistake at once, each with its place in the file, however the pipeline was written."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.pipelines.lint.kit import GOOD, check, found, only, with_transforms
from wire.core.codes import CODES
from wire.core.errors import ConfigError, FatalError
from wire.pipelines.lint import lint, lint_file


def test_a_good_pipeline_is_loaded() -> None:
    result = check(GOOD)
    assert result.findings == ()
    pipeline = result.require()
    assert pipeline.spec.name == "flights"
    assert [(c.name, c.type, c.path) for c in pipeline.sources] == [("kafka", "kafka", "$.source")]
    assert [(c.type, c.path) for c in pipeline.transforms] == [
        ("filter", "$.transforms[0].filter"),
        ("select", "$.transforms[1].select"),
        ("drop", "$.transforms[2].drop"),
    ]
    assert [(c.name, c.when, c.path) for c in pipeline.sinks] == [("kafka", None, "$.sink")]
    assert pipeline.sinks[0].config.topic == "late"
    assert pipeline.dead_letter is None


def test_json_is_as_good_as_yaml() -> None:
    assert check(json.dumps(yaml.safe_load(GOOD))).require().spec == check(GOOD).require().spec


def test_all_mistakes_are_found_at_once_in_the_order_of_the_text() -> None:
    text = """\
name: Flights 2013
source: {type: kafkaa, config: {topic: t}}
batch: {max_record: 10, max_bytes: 5}
transforms:
  - filter: "dep_delay >"
  - slect: "*"
  - drop: minute
  - filter: a
    select: b
sinks:
  - {type: kafka, when: "uper(a) = 1", config: {bootstrap_servers: [x:1], topic: {expr: "a +"}}}
  - {type: kafka, config: {bootstrap_servers: [x:1], topc: t}}
delivery: exactly_onec
nonsense: 1
"""
    assert found(check(text)) == [
        ("config.invalid", "$.name", 1, 7),
        ("config.unknown_component", "$.source.type", 2, 16),
        ("config.unknown_key", "$.batch.max_record", 3, 9),
        ("config.invalid", "$.batch.max_bytes", 3, 36),
        ("expression.syntax", "$.transforms[0].filter", 5, 25),
        ("config.unknown_component", "$.transforms[1].slect", 6, 5),
        ("config.invalid", "$.transforms[2].drop", 7, 11),
        ("config.invalid", "$.transforms[3].select", 9, 5),
        ("expression.unknown_function", "$.sinks[0].when", 11, 26),
        ("expression.syntax", "$.sinks[0].config.topic", 11, 93),
        ("config.unknown_key", "$.sinks[1].config.topc", 12, 54),
        ("config.invalid", "$.delivery", 13, 11),
        ("config.unknown_key", "$.nonsense", 14, 1),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is nothing in this file"),
        ("# only a comment", "there is nothing in this file"),
        ("- a\n- b", "expected a mapping of fields: name, source, sink, …"),
        ("just text", "expected a mapping of fields: name, source, sink, …"),
        ("5", "expected a mapping of fields: name, source, sink, …"),
        ("name:flights\nsource:file", "expected fields, found only text"),
    ],
)
def test_what_is_not_a_pipeline_at_all(text: str, message: str) -> None:
    finding = only(check(text))
    assert (finding.path, finding.message) == ("$", message)
    assert finding.hint


def test_a_syntax_error_is_a_finding_like_others() -> None:
    result = check("name: x\nsource:\n\ttype: kafka\n")
    assert found(result) == [("config.syntax", "$", 3, 1)]
    with pytest.raises(ConfigError):
        result.require()


@pytest.mark.parametrize(
    ("expression", "column"),
    [
        ("upper(", 6),
        ("nope(a)", 1),
        ("a > 1 AND nope(b)", 11),
    ],
)
@pytest.mark.parametrize(
    ("template", "line", "before"),
    [
        ("filter: {}", 4, 12),
        ('filter: "{}"', 4, 13),
        ("filter: '{}'", 4, 13),
        ("filter: |\n      {}", 5, 6),
        ("filter: >-\n      {}", 5, 6),
        ('filter:\n      "{}"', 5, 7),
    ],
)
def test_the_column_of_a_fault_in_an_expression(
    expression: str, column: int, template: str, line: int, before: int
) -> None:
    finding = only(with_transforms(template.format(expression)))
    assert finding.line == line
    assert finding.column in (before + column, before + column + 1)


def test_an_expression_over_several_lines() -> None:
    finding = only(with_transforms("select: |\n      *,\n      uper(a) AS x"))
    assert (finding.code, finding.line, finding.column) == ("expression.unknown_function", 6, 7)
    finding = only(with_transforms("select: >\n      *,\n      uper(a) AS x"))
    assert (finding.line, finding.column) == (4, 13)
    assert "of the expression" in finding.message, "folded text hides the place; it is told in words"


def test_a_library_that_is_not_installed_is_a_warning_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    for name in [
        name for name in sys.modules if name.startswith(("aiokafka.", "wire.sources.kafka.", "wire.sinks.kafka."))
    ]:
        monkeypatch.delitem(sys.modules, name)
    result = check(GOOD)
    assert result.pipeline is not None
    assert {f.severity for f in result.findings} <= {"warning"}


def test_values_set_on_the_command_line_are_linted_too() -> None:
    assert lint(GOOD, environ={}, assignments=["batch.max_records=7"]).require().spec.batch.max_records == 7
    result = lint(GOOD, environ={}, assignments=["batch.max_records=x"])
    assert found(result) == [("config.invalid", "$.batch.max_records", None, None)]
    result = lint(GOOD, environ={}, assignments=["nonsense"])
    assert found(result) == [("config.bad_assignment", "$", None, None)]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD)
    assert lint_file(path, environ={}).require().spec.name == "flights"
    assert found(lint_file(tmp_path / "none", environ={})) == [("config.unreadable", "$", None, None)]
    path.write_text("a: 'x\npassword: hunter2\n")
    result = lint_file(path, environ={})
    assert found(result) == [("config.syntax", "$", 1, 4)]
    assert "hunter2" not in repr(result.lines)


def test_an_error_of_a_later_step_finds_its_place() -> None:
    result = check(GOOD)
    (finding,) = result.placed(FatalError("sink.kafka.unknown_topic", "no topic late", path="$.sink.config.topic"))
    assert (finding.line, finding.column) == (7, 74)
    (finding,) = result.placed(FatalError("sink.kafka.unknown_topic", "no topic late"))
    assert finding.message == "no topic late"


def leaves(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree, as the container and the key."""
    items = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    return [(tree, key) for key, _ in items] + [place for _, value in items for place in leaves(value)]


FULL = yaml.safe_load(GOOD) | {
    "batch": {"max_records": 5, "max_wait": "5ms"},
    "retry": {"initial": "1s"},
    "on_error": {
        "policy": "dead_letter",
        "sink": {"type": "file", "config": {"path": "x", "format": {"type": "json"}}},
    },
    "tests": [{"input": [{"a": 1}], "output": []}],
}
junk = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "x", "5ms", "a >", "${env:X}", "${X}", [], ["x"], {}, {"x": 1}, {"expr": "("}]
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), junk, st.booleans()), min_size=1, max_size=4))
def test_whatever_is_written_lint_answers_with_findings(mutations: list[tuple[int, Any, bool]]) -> None:
    tree = copy.deepcopy(FULL)
    for index, value, rename in mutations:
        places = leaves(tree)
        container, key = places[index % len(places)]
        if rename and isinstance(container, dict):
            container[f"{key}x"] = container.pop(key)
        else:
            container[key] = copy.deepcopy(value)
    result = lint(json.dumps(tree), environ={"X": "1"})
    assert (result.pipeline is None) == bool(result.errors)
    assert all(finding.code in CODES and finding.line and finding.column for finding in result.findings)
