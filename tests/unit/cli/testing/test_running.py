"""`tests:` of a pipeline: what passes, how a difference reads, what a case decides for itself."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from wire.cli.testing.cases import CaseFileError, collect
from wire.cli.testing.running import CaseResult, run_case, run_file
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
LOOKUP = """\
name: p
source: {type: stdin}
transforms:
  - lookup: {file: airlines.csv, key: carrier, select: "name AS airline"}
sink: {type: stdout}
tests:
"""


def run(spec: str, file: Path = Path("p.yaml")) -> list[CaseResult]:
    pipeline = lint(spec, environ={}).require()
    return [run_case(case, pipeline) for case in collect(file, pipeline)]


def cases(text: str, spec: str = SPEC, file: Path = Path("p.yaml")) -> list[CaseResult]:
    return run(spec + textwrap.indent(textwrap.dedent(text), "  "), file)


def told(result: CaseResult) -> list[str]:
    return [problem.message for problem in result.problems]


def problems(expected: Any, given: Any = ({"n": 1},)) -> list[str]:
    case = {"input": list(given), "output": expected}
    return told(cases(yaml.safe_dump([case]))[0])


def test_records_are_read_as_the_source_would_give_them() -> None:
    (result,) = cases("""\
        - name: typed by the source's format
          input: [{n: "7", at: "2024-05-01T10:00:00Z"}, {n: -1}]
          output: [{n: 7, at: "2024-05-01T10:00:00Z", twice: 14, hour: "10"}]
    """)
    assert result.name == "typed by the source's format"
    assert result.passed, result.problems
    assert result.filtered == 1


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


def test_records_that_differ_are_paired_with_the_most_alike() -> None:
    given = [{"n": n} for n in (1, 2, 3)]
    second = {"n": 2, "twice": 5, "hour": None}
    first, last = ({"n": n, "twice": 2 * n, "hour": None} for n in (1, 3))
    assert problems([second], given) == [
        f"output[0] was not expected: {json.dumps(first)}",
        "output[0].twice: expected 5, found 4",
        f"output[2] was not expected: {json.dumps(last)}",
    ]


def test_of_a_long_text_the_part_that_differs_is_shown() -> None:
    start, end = "a" * 500, "b" * 500
    (message,) = problems(
        [{"n": 1, "s": f"{start}x{end}", "twice": 2, "hour": None}], [{"n": 1, "s": f"{start}y{end}"}]
    )
    assert "x" in message.partition("found ")[0]
    assert "y" in message.partition("found ")[2]
    assert len(message) < 500


def test_a_record_that_fails_is_a_problem_unless_it_was_expected() -> None:
    failing, expected, none = cases("""\
        - {input: [{n: abc}], output: []}
        - {input: [{n: abc}], output: [], failures: 1}
        - {input: [], output: [], failures: 1}
    """)
    assert [text.partition(" (hint")[0] for text in told(failing)] == [
        "input[0] failed: record.decode: column `n`: 'abc' is not a bigint"
    ]
    assert expected.passed
    assert told(none) == ["failures: expected 1 records to fail, 0 did"]
    assert [c.name for c in (failing, expected, none)] == ["case 1", "case 2", "case 3"]


def test_failures_are_expected_by_code_and_path() -> None:
    spec = SPEC.replace('filter: "n > 0"', 'filter: "s::INT > 0"')
    right, wrong_code, wrong_path, other, none = cases(
        """\
        - input: [{s: "1"}, {s: x}]
          output: [{s: "1", twice: null, hour: null}]
          failures: [{record: 1, code: expression.cast}]
        - {input: [{s: x}], failures: [{record: 0, code: expression.domain}]}
        - {input: [{s: x}], failures: [{record: 0, code: expression.cast, path: "$.sink"}]}
        - {input: [{s: x}, {s: y}], failures: [{record: 1, code: expression.cast, path: "$.transforms[0]"}]}
        - {input: [{s: "0"}], failures: [{record: 0, code: expression.cast}]}
        """,
        spec,
    )
    assert right.passed, right.problems
    assert told(wrong_code)[0].startswith(
        "input[0]: expected to fail with expression.domain, failed with expression.cast at $.transforms[0]: "
    )
    assert told(wrong_path)[0].startswith("input[0]: expected to fail with expression.cast at $.sink, failed with ")
    assert [text.partition(":")[0] for text in told(other)] == ["input[0] failed"]
    assert told(none) == ["input[0]: expected to fail with expression.cast, but did not"]


def test_several_sinks_are_told_apart() -> None:
    spec = SPEC.replace("sink: {type: stdout}", "sinks: [{type: drop, name: a, when: n > 1}, {type: drop, name: b}]")
    (result,) = cases("- {input: [{n: 1}], output: {a: [{n: 1}], b: [{n: 1, twice: 2, hour: null}]}}", spec)
    assert told(result) == ['output.a[0] is missing: {"n": 1}']


def test_a_pipeline_that_does_not_compile_says_why() -> None:
    spec = SPEC.replace('filter: "n > 0"', 'python: "no_such_module:f"') + "  - {input: []}\n"
    with pytest.raises(ConfigError, match="no_such_module"):
        run(spec)


def test_the_clock_stands_still() -> None:
    spec = SPEC.replace("n * 2 AS twice, strftime(at, '%H') AS hour", "now() AS now, current_date AS day")
    default, zoned = cases(
        """\
        - {input: [{n: 1}], output: [{n: 1, now: "2000-01-01T00:00:00Z", day: "2000-01-01"}]}
        - now: "2024-05-01T00:30:00+02:00"
          input: [{n: 1}]
          output: [{n: 1, now: "2024-04-30T22:30:00Z", day: "2024-04-30"}]
        """,
        spec,
    )
    assert default.passed, default.problems
    assert zoned.passed, zoned.problems


def test_a_record_arrives_now() -> None:
    spec = SPEC.replace("n * 2 AS twice, strftime(at, '%H') AS hour", "meta_timestamp() AS arrived")
    (result,) = cases("- {input: [{n: 1}], output: [{n: 1, arrived: '2000-01-01T00:00:00Z'}]}", spec)
    assert result.passed, result.problems


def test_a_record_may_have_a_key() -> None:
    spec = SPEC.replace("n * 2 AS twice, strftime(at, '%H') AS hour", "meta_key() AS key")
    (result,) = cases(
        "- {input: [{n: 1}, {n: 2}, {n: 3}], keys: [null, b], "
        "output: [{n: 1, key: null}, {n: 2, key: b}, {n: 3, key: null}]}",
        spec,
    )
    assert result.passed, result.problems


def test_keys_of_records_that_are_not_there_are_found_by_lint() -> None:
    findings = lint(SPEC + "  - {input: [{n: 1}], keys: [a, b]}", environ={}).findings
    assert [f.path for f in findings] == ["$.tests[0].keys"]


@pytest.mark.parametrize("name", ["lookup", '"transforms[0]"', "airlines.csv"])
def test_a_lookup_finds_what_the_case_says(name: str) -> None:
    (result,) = cases(
        f"""\
        - lookups: {{{name}: [{{carrier: UA, name: United}}]}}
          input: [{{carrier: UA}}, {{carrier: ZZ}}]
          output: [{{carrier: UA, airline: United}}, {{carrier: ZZ, airline: null}}]
        """,
        LOOKUP,
    )
    assert result.passed, result.problems


def test_a_lookup_may_be_replaced_by_a_file_beside_the_case(tmp_path: Path) -> None:
    (tmp_path / "some.csv").write_text("carrier,name\nUA,United\n")
    text = "- {lookups: {lookup: some.csv}, input: [{carrier: UA}], output: [{carrier: UA, airline: United}]}"
    (result,) = cases(text, LOOKUP, tmp_path / "p.yaml")
    assert result.passed, result.problems


ENRICH = """\
name: p
source: {type: stdin}
transforms:
  - enrich: {type: http, url: "http://localhost:1/customers/{id}", select: "name"}
sink: {type: stdout}
tests:
"""


@pytest.mark.parametrize("name", ["enrich", '"transforms[0]"', '"http://localhost:1/customers/{id}"'])
def test_a_service_is_not_asked_but_the_case(name: str) -> None:
    (result,) = cases(
        f"""\
        - lookups: {{{name}: {{"http://localhost:1/customers/7": {{name: Ann, age: 5}}}}}}
          input: [{{id: 7}}, {{id: 8}}]
          output: [{{id: 7, name: Ann}}, {{id: 8, name: null}}]
        """,
        ENRICH,
    )
    assert result.passed, result.problems


def test_answers_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text('{"http://localhost:1/customers/7": {"name": "Ann"}}')
    text = "- {lookups: {enrich: answers.json}, input: [{id: 7}], output: [{id: 7, name: Ann}]}"
    (result,) = cases(text, ENRICH, tmp_path / "p.yaml")
    assert result.passed, result.problems


@pytest.mark.parametrize(
    ("spec", "case", "message"),
    [
        (ENRICH, "- input: [{id: 7}]", "does not say what .* finds"),
        (ENRICH, "- lookups: {enrich: [{id: 7}]}", "a service answers by key"),
        (LOOKUP, "- lookups: {lookup: {UA: United}}", "a lookup finds rows"),
    ],
)
def test_answers_that_can_t_be_used_are_a_mistake_of_the_case(spec: str, case: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        cases(case, spec)
    assert caught.value.findings[0].path.startswith("$.tests[0].lookups")


def test_each_case_has_transforms_of_its_own() -> None:
    spec = LOOKUP.replace('lookup: {file: airlines.csv, key: carrier, select: "name AS airline"}', "dedupe: {key: id}")
    results = cases("- &one {input: [{id: 1}, {id: 1}], output: [{id: 1}]}\n- *one\n", spec)
    assert [told(result) for result in results] == [[], []]


def test_nobody_waits_in_a_test() -> None:
    spec = LOOKUP.replace('lookup: {file: airlines.csv, key: carrier, select: "name AS airline"}', "rate_limit: 0.01")
    (result,) = cases("- {input: [{id: 1}, {id: 2}], output: [{id: 1}, {id: 2}]}\n", spec)
    assert result.passed, result.problems


def test_what_is_reported_of_made_up_records_goes_nowhere(tmp_path: Path) -> None:
    report = tmp_path / "pii.json"
    step = f"pii: {{action: report, report: '{report}'}}"
    spec = LOOKUP.replace('lookup: {file: airlines.csv, key: carrier, select: "name AS airline"}', step)
    (result,) = cases("- {input: [{a: ann@example.com}], output: [{a: ann@example.com}]}\n", spec)
    assert result.passed, result.problems
    assert not report.exists()


def test_many_records_alike_are_compared_in_no_time() -> None:
    given = [{"n": 1}] * 5000
    out = [{"n": 1, "twice": 2, "hour": None}] * 5000
    assert problems([*out[1:], {"n": 9}, *out[:2]], given) != []
    assert problems(out, given) == []


def test_a_name_that_nothing_looks_up_is_found_by_lint() -> None:
    findings = lint(LOOKUP + "  - {lookups: {lokup: []}}", environ={}).findings
    assert [(f.path, f.hint) for f in findings] == [("$.tests[0].lookups.lokup", "did you mean `lookup`?")]


def test_a_failure_of_a_record_that_is_not_there_is_found_by_lint() -> None:
    findings = lint(SPEC + "  - {input: [{n: 1}], failures: [{record: 1, code: record.decode}]}", environ={}).findings
    assert [f.path for f in findings] == ["$.tests[0].failures[0].record"]


def test_records_may_be_in_files_beside_the_pipeline(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("n,at,s\n1,2024-05-01T10:00:00Z,\n-1,,\n")
    (tmp_path / "out.csv").write_text("n,at,s,twice,hour\n1,2024-05-01T10:00:00Z,,2,10\n")
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n\n{"n": "2"}\n')
    (tmp_path / "out.json").write_text('[{"n": 1, "twice": 2, "hour": null}, {"n": 2, "twice": 4, "hour": null}]')
    results = cases(
        """\
        - {input: in.csv, output: out.csv}
        - {input: in.jsonl, output: out.json}
        """,
        file=tmp_path / "p.yaml",
    )
    assert [told(result) for result in results] == [[], []]


def test_cases_may_be_in_files_beside_the_pipeline(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "b.yaml").write_text("- {input: rows.jsonl, failures: 1}\n- {name: empty}\n")
    (tmp_path / "cases" / "rows.jsonl").write_text('{"n": "x"}\n')
    (tmp_path / "cases" / "a.yaml").write_text("{input: [{n: -1}]}\n")
    first, *others = cases("- {input: [{n: 0}]}\n- cases/*.yaml\n", file=tmp_path / "p.yaml")
    assert [first.name, *(case.name for case in others)] == ["case 1", "a", "b 1", "empty"]
    assert all(case.passed for case in (first, *others))
    only = run(SPEC.replace("tests:\n", "tests: cases/*.yaml\n"), tmp_path / "p.yaml")
    assert [case.name for case in only] == ["a", "b 1", "empty"]


def test_what_is_wrong_in_a_file_of_cases_is_placed_there(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- input: []\n  outptu: []\n- lookups: {x: []}\n")
    with pytest.raises(CaseFileError) as caught:
        cases("- a.yaml\n", file=tmp_path / "p.yaml")
    assert caught.value.file == tmp_path / "a.yaml"
    assert [(f.path, f.line) for f in caught.value.findings] == [("$[0].outptu", 2), ("$[1].lookups.x", 3)]


def test_a_file_that_is_not_there_is_placed_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("input: none.jsonl\n")
    with pytest.raises(CaseFileError) as caught:
        cases("- a.yaml\n", file=tmp_path / "p.yaml")
    assert [(f.code, f.path, f.line) for f in caught.value.findings] == [("config.unreadable", "$.input", 1)]
    with pytest.raises(ConfigError, match=r"no file of tests matches b\*\.yaml"):
        cases("- b*.yaml\n", file=tmp_path / "p.yaml")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.jsonl", "{", "can't be read"),
        ("rows.csv", "a,b\n1\n", "can't be read"),
        ("rows.json", "3", "is not a list of records"),
        ("rows.yaml", "a: [", "rows.yaml:"),
        ("rows.txt", "", "is of no kind that is known"),
    ],
)
def test_a_file_of_records_that_is_wrong_says_how(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        cases(f"- {{input: {name}}}\n", file=tmp_path / "p.yaml")


def test_cases_are_chosen_by_name(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(SPEC + "  - {name: First}\n  - {name: second}\n  - {name: first again}\n")
    for pattern, names in (("first", ["First", "first again"]), ("s*d", ["second"]), ("third", [])):
        result, _ = run_file(path, [], pattern)
        assert [case.name for case in result.cases] == names
        assert result.left_out == 3 - len(names)
