"""References are resolved where they may be and reported where not; secrets are shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.pipelines.lint.kit import GOOD, check, only, with_sink
from wire.core.errors import ConfigError
from wire.pipelines.lint import LintResult


def test_a_reference_to_nothing_is_the_only_mistake_it_makes() -> None:
    sink = "sink: {type: file, config: {path: '${env:NOT_SET}'}}"
    finding = only(check(f"{GOOD[: GOOD.index('sink:')]}{sink}\n"))
    assert (finding.code, finding.path) == ("config.reference_unresolved", "$.sink.config.path")


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
