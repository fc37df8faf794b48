"""What a pipeline says of failures: retries by code, rules for what can't be processed, buffers, rates."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.lint.kit import GOOD, check, only
from wire.core.units import Duration, Quota, Rate

SINK = "sink: {type: kafka, config: {bootstrap_servers: [localhost:9092], topic: late}}"
LETTERS = "sink: {type: drop}"


def with_feed(feed: str) -> str:
    return GOOD.replace(SINK, f"{SINK[:-1]}, {feed}}}")


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("retry: {initial: 1h}", "config.conflict", "$.retry.initial"),
        (
            "retry: {rules: [{codes: [sink.kafka.awya], attempts: 3}]}",
            "config.unknown_code",
            "$.retry.rules[0].codes[0]",
        ),
        ("retry: {rules: [{codes: ['sink.*'], attempts: 0}]}", "config.invalid", "$.retry.rules[0].attempts"),
        ("retry: {rules: [{codes: [], attempts: 1}]}", "config.invalid", "$.retry.rules[0].codes"),
        ("retry: {rules: [{codes: ['*'], attempts: 1, then: skip}]}", "config.invalid", "$.retry.rules[0].then"),
        ("rate_limit: 5000", "config.invalid", "$.rate_limit"),
        ("on_error: {rules: [{policy: dead_letter}]}", "config.missing", "$.on_error.sink"),
        ("on_error: {rules: [{codes: [a.b], policy: skip}]}", "config.unknown_code", "$.on_error.rules[0].codes[0]"),
        (
            "on_error: {rules: [{component: enrich, policy: skip}]}",
            "config.unknown_name",
            "$.on_error.rules[0].component",
        ),
        ("on_error: {rules: [{component: kafka}]}", "config.missing", "$.on_error.rules[0].policy"),
        ("on_error: {max_dead_letters: 1%/1m}", "config.conflict", "$.on_error.max_dead_letters"),
        ("on_error: {policy: skip, max_dead_letters: 1%}", "config.invalid", "$.on_error.max_dead_letters"),
    ],
)
def test_failures_written_wrong(text: str, code: str, path: str) -> None:
    finding = only(check(f"{GOOD}{text}\n"))
    assert (finding.code, finding.path) == (code, path)
    assert finding.hint or "expected" in finding.message


@pytest.mark.parametrize(
    ("feed", "code", "path"),
    [
        ("retry: {initial: 1h}", "config.conflict", "$.sink.retry.initial"),
        ("retry: {rules: [{codes: [x], attempts: 3}]}", "config.unknown_code", "$.sink.retry.rules[0].codes[0]"),
        ("breaker: {failures: 0}", "config.invalid", "$.sink.breaker.failures"),
        ("buffer: {when_full: drop}", "config.invalid", "$.sink.buffer.when_full"),
        ("rate_limit: 10 records", "config.invalid", "$.sink.rate_limit"),
    ],
)
def test_how_a_sink_is_fed_written_wrong(feed: str, code: str, path: str) -> None:
    finding = only(check(with_feed(feed)))
    assert (finding.code, finding.path) == (code, path)


def test_a_misspelt_code_is_told_with_the_one_that_was_meant() -> None:
    finding = only(check(f"{GOOD}retry: {{rules: [{{codes: [sink.kafka.unreachble], attempts: 3}}]}}\n"))
    assert finding.hint == "did you mean `sink.kafka.unreachable`?"


def test_a_sink_that_drops_records_can_not_be_exactly_once() -> None:
    finding = only(check(f"{with_feed('buffer: {when_full: shed}')}delivery: exactly_once\n"))
    assert (finding.code, finding.path) == ("config.delivery_unsupported", "$.sink.buffer.when_full")


def test_failures_written_right() -> None:
    text = with_feed("rate_limit: '5000/s, 10MiB/s', retry: {attempts: 3}, breaker: {failures: 3, open_for: 30s}")
    text += (
        "on_error: {policy: skip, sink: {type: drop}, max_dead_letters: 1%/1m, "
        "rules: [{codes: ['sink.*'], component: kafka, policy: dead_letter}, "
        "{component: 'transforms[0]', policy: fail}]}\n"
        "retry: {rules: [{codes: [sink.kafka.record_*], attempts: 1, then: fail}]}\n"
    )
    spec = check(text).require().spec
    (sink,) = spec.every_sink
    assert sink.rate_limit == Rate(5000, 10 << 20)
    assert sink.breaker.open_for == Duration(30_000)
    assert sink.retry is not None
    assert (sink.retry.attempts, spec.retry.attempts) == (3, "unlimited")
    assert spec.on_error.max_dead_letters == Quota(None, 0.01, Duration(60_000))
    assert [rule.component for rule in spec.on_error.rules] == ["kafka", "transforms[0]"]
