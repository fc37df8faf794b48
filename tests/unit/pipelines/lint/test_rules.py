"""What is well written but does not go together: promises, dead letters, waits, loops, tests."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.lint.kit import GOOD, KAFKA, check, only, with_sink
from wire.core.units import Duration


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


SINK = "sink: {type: kafka, config: {bootstrap_servers: [localhost:9092], topic: late}}"


def test_how_fields_go_together_is_checked_at_the_field() -> None:
    finding = only(check(GOOD.replace("[localhost:9092], topic: t}", "[localhost], topic: t}")))
    assert (finding.code, finding.path) == ("config.invalid", "$.source.config.bootstrap_servers")


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
    text = GOOD.replace("dep_delay > 15", "dep_delay >").replace(SINK, "sink: {type: stdout}")
    result = check(f"{text}delivery: exactly_once\n")
    assert {f.code for f in result.findings} == {"config.delivery_unsupported", "expression.syntax"}


def test_dead_letters_written_right() -> None:
    pipeline = check(f"{GOOD}on_error: {{policy: dead_letter, sink: {{type: drop}}}}\n").require()
    assert pipeline.dead_letter is not None
    assert (pipeline.dead_letter.type, pipeline.dead_letter.path) == ("drop", "$.on_error.sink")


def test_exactly_once_is_refused_where_the_sink_can_not_give_it() -> None:
    finding = only(check(f"{GOOD.replace(SINK, 'sink: {type: stdout}')}delivery: exactly_once\n"))
    assert (finding.code, finding.path, finding.line) == ("config.delivery_unsupported", "$.delivery", 8)
    assert "`stdout`" in finding.message


def sinks_of(*servers: str) -> str:
    each = "{{type: kafka, name: {0}, config: {{bootstrap_servers: [{0}:9092], topic: late}}}}"
    return f"name: x\nsource: {{type: kafka, config: {KAFKA}}}\nsinks: [{', '.join(each.format(s) for s in servers)}]\n"


def test_exactly_once_into_topics_of_one_cluster_with_dead_letters_in_another_is_possible() -> None:
    text = f"{GOOD}delivery: exactly_once\n"
    assert check(text).findings == ()
    letters = "on_error: {policy: dead_letter, sink: {type: kafka, config: {bootstrap_servers: [AT:9092], topic: d}}}\n"
    assert check(text + letters.replace("AT", "localhost")).findings == ()
    finding = only(check(text + letters.replace("AT", "elsewhere")))
    assert (finding.severity, finding.path) == ("warning", "$.on_error.sink.type")


def test_exactly_once_into_several_clusters_is_refused() -> None:
    assert check(sinks_of("a", "b")).findings == ()
    finding = only(check(f"{sinks_of('a', 'b')}delivery: exactly_once\n"))
    assert (finding.code, finding.path) == ("config.delivery_unsupported", "$.sinks[1]")
    assert "several clusters" in finding.message


def test_exactly_once_with_dead_letters_that_are_not_is_said() -> None:
    text = GOOD.replace(SINK, "sink: {type: file, config: {path: out.jsonl}}")
    text += "delivery: exactly_once\non_error: {policy: dead_letter, sink: {type: stdout}}\n"
    finding = only(check(text))
    assert (finding.code, finding.severity, finding.path) == (
        "config.delivery_unsupported",
        "warning",
        "$.on_error.sink.type",
    )


def test_exactly_once_is_refused_with_a_memory_that_does_not_last() -> None:
    file = "{type: file, config: {path: out.jsonl}}"
    text = f"name: x\nsource: {{type: kafka, config: {KAFKA}}}\nsink: {file}\ntransforms:\n  - dedupe: {{key: id}}\n"
    assert check(text).findings == ()
    finding = only(check(f"{text}delivery: exactly_once\n"))
    assert (finding.code, finding.path, finding.line, finding.severity) == (
        "config.delivery_unsupported",
        "$.transforms[0].dedupe",
        5,
        "error",
    )
    assert "at_least_once" in finding.hint


def test_the_first_wait_is_not_longer_than_the_longest() -> None:
    finding = only(check(f"{GOOD}retry: {{initial: 1h, max: 1m}}\n"))
    assert (finding.code, finding.path) == ("config.conflict", "$.retry.initial")
    assert finding.message == f"the first wait ({Duration(3_600_000)}) is longer than the longest (1m)"


def test_tests_name_the_sinks_there_are() -> None:
    sinks = "sinks: [{type: drop, name: late}, {type: drop, name: early}]"
    head = f"name: x\nsource: {{type: kafka, config: {KAFKA}}}\n{sinks}\n"
    assert [f.path for f in check(f"{head}tests: [{{output: [{{a: 1}}]}}]").findings] == ["$.tests[0].output"]
    assert check(f"{head}tests: [{{input: [{{a: 1}}], output: []}}]").findings == (), "nothing is expected anywhere"
    finding = only(check(f"{head}tests: [{{output: {{lat: []}}}}]"))
    assert (finding.path, finding.hint) == ("$.tests[0].output.lat", "did you mean `late`?")
    assert check(f"{head}tests: [{{output: {{late: []}}}}]").findings == ()


def test_a_pipeline_that_feeds_itself_is_suspicious() -> None:
    finding = only(with_sink(KAFKA))
    assert (finding.code, finding.severity, finding.path) == ("config.loop", "warning", "$.sink")


def test_an_index_that_is_made_anew_from_itself_is_suspicious() -> None:
    index = "{type: elasticsearch, config: {url: 'http://localhost:9200', index: flights}}"
    finding = only(check(f"name: x\nsource: {index}\nsink: {index}\n"))
    assert (finding.code, finding.severity, finding.path) == ("config.loop", "warning", "$.sink")


def test_two_sinks_can_not_have_the_same_file() -> None:
    def sink(name: str, path: str) -> str:
        return f"{{type: file, name: {name}, config: {{path: {path}}}}}"

    head = f"name: x\nsource: {{type: kafka, config: {KAFKA}}}\n"
    finding = only(check(f"{head}sinks: [{sink('a', 'out/x.jsonl')}, {sink('b', './out/x.jsonl')}]\n"))
    assert (finding.code, finding.severity, finding.path) == ("config.conflict", "error", "$.sinks[1].config.path")
    assert "`a`" in finding.message
    letters = f"on_error: {{policy: dead_letter, sink: {sink('dead', 'x.jsonl')}}}\n"
    finding = only(check(f"{head}sink: {sink('a', 'x.jsonl')}\n{letters}"))
    assert finding.path == "$.on_error.sink.config.path"
    assert check(f"{head}sinks: [{sink('a', 'x.jsonl')}, {sink('b', 'y.jsonl')}]\n").findings == ()


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("in/*.csv", "add format: csv"),
        ("a.CSV.gz", "add format: csv"),
        ("a.tsv.zst", 'add format: {type: csv, delimiter: "\\t"}'),
    ],
)
def test_a_source_that_reads_csv_as_json_is_suspicious(path: str, hint: str) -> None:
    text = GOOD.replace(f"{{type: kafka, config: {KAFKA}}}", f"\n  type: file\n  config: {{path: '{path}'}}")
    finding = only(check(text))
    assert (finding.code, finding.severity, finding.path) == (
        "config.suspicious_format",
        "warning",
        "$.source.config.path",
    )
    assert (finding.line, finding.hint) == (4, hint)


@pytest.mark.parametrize("head", ["sink: ", "on_error: {policy: dead_letter, sink: "])
def test_a_sink_that_writes_json_into_a_csv_file_is_suspicious(head: str) -> None:
    kafka = "sink: {type: kafka, config: {bootstrap_servers: [localhost:9092], topic: late}}\n"
    file = f"{head}{{type: file, config: {{path: out.csv}}}}{'}' * head.count('{')}\n"
    finding = only(check(GOOD.replace(kafka, file if head == "sink: " else kafka + file)))
    assert (finding.code, finding.severity) == ("config.suspicious_format", "warning")
    assert finding.hint == "add format: {type: csv, columns: […]}"


@pytest.mark.parametrize(
    "config",
    [
        "{path: out.csv, format: {type: csv, columns: [a]}}",
        "{path: out.csv, format: raw}",
        "{path: out.jsonl}",
        "{path: csv}",
        "{path: {expr: \"carrier || '.csv'\"}}",
    ],
)
def test_a_format_that_was_chosen_or_fits_is_not_suspicious(config: str) -> None:
    text = GOOD.replace("{type: kafka, config: {bootstrap_servers: [localhost:9092], topic: late}}",
                        f"{{type: file, config: {config}}}")  # fmt: skip
    assert "config.suspicious_format" not in [finding.code for finding in check(text).findings]
