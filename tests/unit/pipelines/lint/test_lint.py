"""Lint: every mistake at once, each with its place in the file and a way to mend it; and no secret anywhere."""

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

from wire.core.codes import CODES
from wire.core.errors import ConfigError, FatalError
from wire.core.units import Duration
from wire.pipelines.lint import LintResult, compile_here, lint, lint_file

KAFKA = "{bootstrap_servers: [localhost:9092], topic: t}"
GOOD = f"""\
name: flights
source: {{type: kafka, config: {KAFKA}}}
transforms:
  - filter: "dep_delay > 15"
  - select: "*, upper(carrier) AS carrier"
  - drop: [minute, hour]
sink: {{type: kafka, config: {{bootstrap_servers: [localhost:9092], topic: late}}}}
"""


def check(text: str, **environ: str) -> LintResult:
    return lint(text, environ=environ)


def found(result: LintResult) -> list[tuple[str, str, int | None, int | None]]:
    return [(f.code, f.path, f.line, f.column) for f in result.findings]


def only(result: LintResult) -> Any:
    assert len(result.findings) == 1, found(result)
    return result.findings[0]


def with_sink(config: str, **environ: str) -> LintResult:
    return check(GOOD.replace("{bootstrap_servers: [localhost:9092], topic: late}", config), **environ)


def with_transforms(*items: str) -> LintResult:
    head, _, tail = GOOD.partition("transforms:\n")
    written = "".join(f"  - {item}\n" for item in items)
    return check(f"{head}transforms:\n{written}{tail[tail.index('sink:') :]}")


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


@pytest.mark.parametrize(
    ("change", "path", "hint"),
    [
        (("source: {", "sorce: {"), "$.sorce", "did you mean `source`?"),
        (("type: kafka, config: {bootstrap", "typ: kafka, config: {bootstrap"), "$.source.typ", "did you mean `type`?"),
        (("transforms:", "transform:"), "$.transform", "did you mean `transforms`?"),
        (("{bootstrap_", "{bootstrap-"), "$.source.config.bootstrap-servers", "did you mean `bootstrap_servers`?"),
    ],
)
def test_a_misspelt_field_is_reported_once(change: tuple[str, str], path: str, hint: str) -> None:
    finding = only(check(GOOD.replace(*change, 1)))
    assert (finding.code, finding.path, finding.hint) == ("config.unknown_key", path, hint)


def test_a_field_of_the_configuration_beside_it() -> None:
    text = f"name: x\nsource: {{type: kafka, topic: t, config: {KAFKA}}}\nsink: {{type: drop}}\n"
    finding = only(check(text))
    assert finding.path == "$.source.topic"
    assert finding.message == "`topic` is a field of the kafka source's configuration"
    assert finding.hint == "move `topic` below `config:`"


@pytest.mark.parametrize(
    ("source", "path", "message"),
    [
        ("kafka", "$.source", "expected a mapping with `type` and `config`, found text"),
        ("[{type: kafka}]", "$.source", "expected a mapping, found a list"),
        ("", "$.source", None),
        ("{config: {}}", "$.source.type", "`type` is required"),
        ("{type: 5}", "$.source.type", "expected text, found a whole number"),
        ("{type: kafka, config: [a]}", "$.source.config", "expected a mapping, found a list"),
    ],
)
def test_sources_written_wrong(source: str, path: str, message: str | None) -> None:
    result = check(f"name: x\nsource: {source}\nsink: {{type: drop}}\n")
    finding = only(result)
    assert finding.path == path
    assert message is None or finding.message == message


@pytest.mark.parametrize(
    ("item", "path", "message"),
    [
        ("filter", "$.transforms[0]", "expected one `name: configuration`"),
        ("{}", "$.transforms[0]", "expected one `name: configuration`"),
        ("[filter]", "$.transforms[0]", "expected one `name: configuration`"),
        ("filter:", "$.transforms[0].filter", "expected an expression, found null"),
        ("filter: [a]", "$.transforms[0].filter", "expected an expression, found a list"),
        ("rename: [a, b]", "$.transforms[0].rename", None),
    ],
)
def test_transforms_written_wrong(item: str, path: str, message: str | None) -> None:
    finding = only(with_transforms(item))
    assert finding.path == path
    assert message is None or finding.message == message


def test_a_mapping_of_transforms_is_not_a_list() -> None:
    finding = only(
        check(GOOD.replace("  - filter", "  filter").replace("  - select", "  select").replace("  - drop", "  drop"))
    )
    assert (finding.path, finding.message) == ("$.transforms", "expected a list of mappings, found a mapping")


def test_exactly_one_of_source_and_sources() -> None:
    both = check(GOOD + "sources: []\n")
    assert [f.message for f in both.findings] == ["`source` and `sources` can't both be given"]
    neither = check("name: x\n")
    assert [(f.path, f.message) for f in neither.findings] == [
        ("$.sink", "`sink` is required"),
        ("$.source", "`source` is required"),
    ]
    empty = check("name: x\nsources: []\nsinks: []\n")
    assert [f.message for f in empty.findings] == [
        "expected at least one source, found an empty list",
        "expected at least one sink, found an empty list",
    ]


def test_names_tell_several_apart() -> None:
    one = f"{{type: kafka, config: {KAFKA}}}"
    named = f"{{type: kafka, name: b, config: {KAFKA}}}"
    result = check(f"name: x\nsources: [{one}, {one}, {named}]\nsink: {{type: drop}}\n")
    assert [(f.code, f.path) for f in result.findings] == [
        ("config.duplicate_name", "$.sources[0]"),
        ("config.duplicate_name", "$.sources[1]"),
    ]
    pipeline = check(f"name: x\nsources: [{one}, {named}]\nsink: {{type: drop}}\n").require()
    assert [source.name for source in pipeline.sources] == ["kafka", "b"]


@pytest.mark.parametrize(
    ("on_error", "code", "path"),
    [
        ("{policy: dead_letter}", "config.missing", "$.on_error.sink"),
        ("{policy: dead_letter, sink: {}}", "config.missing", "$.on_error.sink.type"),
        ("{sink: {type: drop}}", "config.conflict", "$.on_error.sink"),
        ("{policy: skip, sink: {type: drop}}", "config.conflict", "$.on_error.sink"),
        ("{policy: deadletter, sink: {type: drop}}", "config.invalid", "$.on_error.policy"),
        ("dead_letter", "config.invalid", "$.on_error"),
    ],
)
def test_dead_letters_written_wrong(on_error: str, code: str, path: str) -> None:
    finding = only(check(f"{GOOD}on_error: {on_error}\n"))
    assert (finding.code, finding.path) == (code, path)


def test_how_fields_go_together_is_checked_at_the_field() -> None:
    finding = only(check(GOOD.replace("[localhost:9092], topic: t}", "[localhost], topic: t}")))
    assert (finding.code, finding.path) == ("config.invalid", "$.source.config.bootstrap_servers")


def test_a_reference_to_nothing_is_the_only_mistake_it_makes() -> None:
    sink = "sink: {type: file, config: {path: '${env:NOT_SET}'}}"
    finding = only(check(f"{GOOD[: GOOD.index('sink:')]}{sink}\n"))
    assert (finding.code, finding.path) == ("config.reference_unresolved", "$.sink.config.path")


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ("{bootstrap_servers: [localhost:9092], topic: dead, key: carrier}", "key"),
        ("{bootstrap_servers: [localhost:9092], topic: {expr: carrier}}", "topic"),
    ],
)
def test_nothing_can_be_computed_from_a_dead_letter(config: str, field: str) -> None:
    finding = only(check(f"{GOOD}on_error: {{policy: dead_letter, sink: {{type: kafka, config: {config}}}}}\n"))
    assert (finding.code, finding.path) == ("config.conflict", f"$.on_error.sink.config.{field}")
    assert finding.hint


def test_a_promise_that_a_sink_can_not_keep_is_reported_with_the_other_mistakes() -> None:
    result = check(GOOD.replace("dep_delay > 15", "dep_delay >") + "delivery: exactly_once\n")
    assert {f.code for f in result.findings} == {"config.delivery_unsupported", "expression.syntax"}


def test_dead_letters_written_right() -> None:
    pipeline = check(f"{GOOD}on_error: {{policy: dead_letter, sink: {{type: drop}}}}\n").require()
    assert pipeline.dead_letter is not None
    assert (pipeline.dead_letter.type, pipeline.dead_letter.path) == ("drop", "$.on_error.sink")


def test_exactly_once_is_refused_where_the_sink_can_not_give_it() -> None:
    finding = only(check(f"{GOOD}delivery: exactly_once\n"))
    assert (finding.code, finding.path, finding.line) == ("config.delivery_unsupported", "$.delivery", 8)
    assert "`kafka`" in finding.message


def test_exactly_once_with_dead_letters_that_are_not_is_said() -> None:
    text = GOOD.replace("sink: {type: kafka, config: {bootstrap_servers: [localhost:9092], topic: late}}",
                        "sink: {type: file, config: {path: out.jsonl}}")  # fmt: skip
    text += "delivery: exactly_once\non_error: {policy: dead_letter, sink: {type: stdout}}\n"
    finding = only(check(text))
    assert (finding.code, finding.severity, finding.path) == (
        "config.delivery_unsupported",
        "warning",
        "$.on_error.sink.type",
    )


def test_a_library_that_is_not_installed_is_a_warning_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    for name in [
        name for name in sys.modules if name.startswith(("aiokafka.", "wire.sources.kafka.", "wire.sinks.kafka."))
    ]:
        monkeypatch.delitem(sys.modules, name)
    result = check(GOOD)
    assert result.pipeline is not None
    assert {f.severity for f in result.findings} <= {"warning"}


def test_the_first_wait_is_not_longer_than_the_longest() -> None:
    finding = only(check(f"{GOOD}retry: {{initial: 1h, max: 1m}}\n"))
    assert (finding.code, finding.path) == ("config.conflict", "$.retry.initial")
    assert finding.message == f"the first wait ({Duration(3_600_000)}) is longer than the longest (1m)"


def test_tests_name_the_sinks_there_are() -> None:
    sinks = "sinks: [{type: drop, name: late}, {type: drop, name: early}]"
    head = f"name: x\nsource: {{type: kafka, config: {KAFKA}}}\n{sinks}\n"
    assert [f.path for f in check(f"{head}tests: [{{input: [], output: []}}]").findings] == ["$.tests[0].output"]
    finding = only(check(f"{head}tests: [{{output: {{lat: []}}}}]"))
    assert (finding.path, finding.hint) == ("$.tests[0].output.lat", "did you mean `late`?")
    assert check(f"{head}tests: [{{output: {{late: []}}}}]").findings == ()


def test_a_pipeline_that_feeds_itself_is_suspicious() -> None:
    finding = only(with_sink(KAFKA))
    assert (finding.code, finding.severity, finding.path) == ("config.loop", "warning", "$.sink")


SECRET = "hunter2-very-secret"
SASL = "{bootstrap_servers: [x:1], topic: t, security: {tls: {}, sasl: {mechanism: PLAIN, username: u, password: %s}}}"


def everything_shown(result: LintResult) -> str:
    return repr((result, result.lines, result.shown, [str(ConfigError([f])) for f in result.findings]))


def test_references_are_resolved_into_the_configuration_only() -> None:
    result = with_sink(SASL % "'${env:PW}'", PW=SECRET)
    pipeline = result.require()
    assert pipeline.sinks[0].config.security.sasl.password.reveal() == SECRET
    assert result.findings == ()
    assert result.shown["sink"]["config"]["security"]["sasl"]["password"] == "${env:PW}"
    assert SECRET not in everything_shown(result)
    assert SECRET not in repr(pipeline)


def test_a_secret_written_out_is_masked_everywhere_and_warned_of() -> None:
    result = with_sink(SASL % SECRET)
    finding = only(result)
    assert (finding.code, finding.severity) == ("config.literal_secret", "warning")
    assert result.pipeline is not None
    assert SECRET in result.pipeline.spec.sink.config["security"]["sasl"]["password"]  # type: ignore[union-attr]
    assert result.shown["sink"]["config"]["security"]["sasl"]["password"] == "***"
    assert SECRET not in repr((result.findings, result.lines, result.shown))


@pytest.mark.parametrize(
    "config",
    [
        SASL % f"[{SECRET}]",
        SASL.replace("password", "pasword") % SECRET,
        SASL.replace("sasl", "salt") % SECRET,
        f"{{bootstrap_servers: [x:1], topic: t, api_key: {SECRET}}}",
        f"{{bootstrap_servers: [x:1], topic: t, security: {{sasl_password: {SECRET}}}}}",
        f"{{bootstrap_servers: [x:1], topic: t, token: '{SECRET}",
    ],
)
def test_a_secret_in_a_wrong_place_is_masked_all_the_same(config: str) -> None:
    result = with_sink(config)
    assert result.pipeline is None
    assert SECRET not in repr((result.findings, result.lines, result.shown))
    unknown = check(
        GOOD.replace("sink: {type: kafka", "sink: {type: kafak").replace("topic: late", f"password: {SECRET}")
    )
    assert SECRET not in repr((unknown.findings, unknown.lines, unknown.shown))


def test_a_message_of_a_connector_that_quotes_a_resolved_value_is_masked() -> None:
    result = with_sink("{bootstrap_servers: ['${env:PW}'], topic: t}", PW=SECRET)
    assert result.errors, "a server without a port is refused"
    assert SECRET not in everything_shown(result)


def test_an_unresolved_reference_is_reported_with_its_name(tmp_path: Path) -> None:
    finding = only(with_sink("{bootstrap_servers: [x:1], topic: '${env:NOWHERE}'}"))
    assert (finding.code, finding.path) == ("config.reference_unresolved", "$.sink.config.topic")
    assert "NOWHERE" in finding.message
    finding = only(with_sink(f"{{bootstrap_servers: [x:1], topic: '${{file:{tmp_path}/none}}'}}"))
    assert finding.message == f"the file {tmp_path}/none can't be read: no such file or directory"


def test_references_work_only_inside_components() -> None:
    result = check(
        GOOD.replace("name: flights", "name: ${env:NAME}") + "batch: {max_records: '${env:N}'}\n", NAME="x", N="5"
    )
    assert [(f.code, f.path) for f in result.findings] == [
        ("config.reference_misplaced", "$.name"),
        ("config.reference_misplaced", "$.batch.max_records"),
    ]


def test_text_that_looks_like_a_reference_but_is_none() -> None:
    finding = only(with_sink("{bootstrap_servers: [x:1], topic: '${TOPIC}'}"))
    assert (finding.code, finding.severity) == ("config.suspicious_reference", "warning")


def test_a_reference_in_an_expression_is_refused() -> None:
    for item in ("filter: 'a > ${env:N}'", "select: '${env:N} AS x'"):
        head, _, tail = GOOD.partition("transforms:\n")
        result = check(f"{head}transforms:\n  - {item}\n{tail[tail.index('sink:') :]}", N="5")
        assert only(result).message == "a reference can't be part of an expression"


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


def test_compiling_finds_a_sink_that_can_not_hold_what_comes() -> None:
    csv = "{bootstrap_servers: [x:1], topic: t, format: csv}"
    assert with_sink(csv).findings == (), "only compiling tells"
    result = compile_here(with_sink(csv))
    (finding,) = result.errors
    assert (finding.code, finding.path, finding.line) == ("format.unwritable", "$.sink.config.format", 7)
    assert result.pipeline is None
    assert (
        compile_here(
            check(
                GOOD.replace("*, upper(carrier)", "upper(carrier)")
                .replace("- drop: [minute, hour]", "- drop: [x]")
                .replace("{bootstrap_servers: [localhost:9092], topic: late}", csv)
            )
        ).findings
        == ()
    )


def test_compiling_warns_of_a_lookup_file_that_is_not_here(tmp_path: Path) -> None:
    result = compile_here(with_transforms(f"lookup: {{file: {tmp_path}/none.csv, key: a, select: b}}"))
    (finding,) = result.findings
    assert (finding.code, finding.severity) == ("transform.lookup.unreadable", "warning")
    assert "none.csv" in finding.message
    assert result.pipeline is not None


def test_compiling_runs_nobodys_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ruinous.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert compile_here(with_transforms('python: "ruinous:f"')).findings == ()


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
