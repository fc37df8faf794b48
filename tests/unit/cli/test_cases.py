"""`tests:` of a pipeline: what passes, and how a difference reads."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
import yaml

from wire.cli.cases import CaseResult, run_cases
from wire.core.errors import ConfigError
from wire.pipelines.lint import lint

SPEC = """\
name: p
source: {type: stdin, config: {format: {type: csv, types: {n: bigint, at: timestamp}, columns: [n, at, s]}}}
transforms:
  - filter: "n > 0"
  - select: "*, n * 2 AS twice, strftime(at, '%H') AS hour"
sink: {type: stdout}
tests:
"""


def cases(text: str) -> list[CaseResult]:
    pipeline = lint(SPEC + textwrap.indent(textwrap.dedent(text), "  "), environ={}).require()
    return run_cases(pipeline)


def problems(expected: Any, given: Any = ({"n": 1},)) -> list[str]:
    case = {"input": list(given), "output": expected}
    return cases(yaml.safe_dump([case]))[0].problems


def test_records_are_read_as_the_source_would_give_them() -> None:
    (result,) = cases("""\
        - name: typed by the source's format
          input: [{n: "7", at: "2024-05-01T10:00:00Z"}, {n: -1}]
          output: [{n: 7, at: "2024-05-01T10:00:00Z", twice: 14, hour: "10"}]
    """)
    assert result.name == "typed by the source's format"
    assert result.passed, result.problems


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ([{"n": 1, "twice": 2.0, "hour": None}], []),
        ([{"n": 1, "twice": 3, "hour": None}], ["output[0].twice: expected 3, found 2"]),
        ([{"n": True, "twice": 2, "hour": None}], ["output[0].n: expected true, found 1"]),
        ([{"n": 1, "twice": 2, "hour": None, "x": "é"}], ['output[0].x: expected "é", the field is missing']),
        ([{"n": 1, "twice": 2}], ["output[0].hour: not expected, found null"]),
        ([5], ['output[0]: expected 5, found {"n": 1, "twice": 2, "hour": null}']),
        ([], ['output[0] was not expected: {"n": 1, "twice": 2, "hour": null}']),
    ],
)
def test_a_difference_is_named_by_its_field(expected: Any, found: list[str]) -> None:
    assert problems(expected) == found


def test_records_are_aligned_before_they_are_compared() -> None:
    given = [{"n": n} for n in (1, 2, 3)]
    out = [{"n": n, "twice": 2 * n, "hour": None} for n in (1, 2, 3)]
    assert problems(out, given) == []
    assert problems(out[1:], given) == ['output[0] was not expected: {"n": 1, "twice": 2, "hour": null}']
    assert problems([*out, {"n": 9}], given) == ['output[3] is missing: {"n": 9}']


def test_a_record_that_fails_is_a_problem_unless_it_was_expected() -> None:
    failing, expected, none = cases("""\
        - {input: [{n: abc}], output: []}
        - {input: [{n: abc}], output: [], failures: 1}
        - {input: [], output: [], failures: 1}
    """)
    assert [p.partition(" (hint")[0] for p in failing.problems] == [
        "input[0] failed: record.decode: column `n`: 'abc' is not a bigint"
    ]
    assert expected.passed
    assert none.problems == ["expected 1 records to fail, 0 did"]
    assert [c.name for c in (failing, expected, none)] == ["case 1", "case 2", "case 3"]


def test_several_sinks_are_told_apart() -> None:
    spec = SPEC.replace("sink: {type: stdout}", "sinks: [{type: drop, name: a, when: n > 1}, {type: drop, name: b}]")
    spec += "  - {input: [{n: 1}], output: {a: [{n: 1}], b: [{n: 1, twice: 2, hour: null}]}}\n"
    (result,) = run_cases(lint(spec, environ={}).require())
    assert result.problems == ['output.a[0] is missing: {"n": 1}']


def test_a_pipeline_that_does_not_compile_says_why() -> None:
    spec = SPEC.replace('filter: "n > 0"', 'python: "no_such_module:f"') + "  - {input: []}\n"
    with pytest.raises(ConfigError, match="no_such_module"):
        run_cases(lint(spec, environ={}).require())
