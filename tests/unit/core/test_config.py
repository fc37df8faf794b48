"""Parsing of configuration structs: every mistake at once, each with its path and a way to mend it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, field

from wire.core.config import (
    ByRecord,
    Config,
    Expression,
    MisfitError,
    Secret,
    description,
    doc,
    fields_of,
    parse,
    suggest,
)
from wire.core.errors import Finding
from wire.core.formats import CsvFormat, Format, JsonFormat
from wire.core.references import Resolved
from wire.core.units import Duration, Size


class Limits(Config, frozen=True, kw_only=True):
    initial: Annotated[Duration, doc("The first.")] = Duration(1000)
    factor: Annotated[float, Meta(ge=1)] = 2.0
    attempts: Literal["unlimited"] | Annotated[int, Meta(ge=1)] = "unlimited"


class Sample(Config, frozen=True, kw_only=True):
    servers: Annotated[list[str], doc("Where.")]
    topic: str | ByRecord
    count: Annotated[int, Meta(ge=1, le=10)] = 1
    flag: bool = False
    size: Size = Size(1024)
    mode: Literal["fast", "slow"] = "fast"
    password: Secret | None = None
    when: Expression | None = None
    format: Format = JsonFormat()
    limits: Limits = Limits()
    names: Annotated[list[str], Meta(min_length=1)] = field(default_factory=lambda: ["a"])
    labels: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode == "slow" and self.flag:
            raise ValueError("mode slow takes no flag")
        if not self.servers:
            raise MisfitError("`servers` is empty", "name one")


LIST_HINT = "write it as a list: [ … ], or one item per line after `- `"
DURATION = "expected a duration with a unit, such as 5ms, 30s, 10m or 1h30m"
SIZE = "expected a size with a unit, such as 512B, 64KiB or 10MB"
GOOD: dict[str, Any] = {"servers": ["a:1"], "topic": "t"}


def mistakes(**changes: Any) -> list[tuple[str, str, str, str | None]]:
    findings: list[Finding] = []
    assert parse(Sample, {**GOOD, **changes}, "$", findings) is None or not findings
    return [(f.code.removeprefix("config."), f.path, f.message, f.hint) for f in findings]


def parsed(**changes: Any) -> Sample:
    findings: list[Finding] = []
    sample = parse(Sample, {**GOOD, **changes}, "$", findings)
    assert not findings
    assert isinstance(sample, Sample)
    return sample


def test_every_kind_of_field_is_read() -> None:
    sample = parsed(
        count=3,
        flag=True,
        size="1MiB",
        password="x",
        when="a > 1",
        format={"type": "csv", "columns": ["a"]},
        limits={"initial": "5s", "factor": 3, "attempts": 7},
        labels={"a b": 1},
        topic={"expr": "upper(a)"},
    )
    assert sample.count == 3
    assert sample.flag is True
    assert sample.size == Size(1 << 20)
    assert sample.password == Secret("x")
    assert sample.when == "a > 1"
    assert isinstance(sample.when, Expression)
    assert sample.format == CsvFormat(columns=["a"])
    assert sample.limits == Limits(initial=Duration(5000), factor=3.0, attempts=7)
    assert sample.labels == {"a b": 1}
    assert sample.topic == ByRecord(expr=Expression("upper(a)"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"servers": "a:1"}, ("invalid", "$.servers", "expected a list of text, found text", LIST_HINT)),
        ({"servers": []}, ("invalid", "$.servers", "`servers` is empty", "name one")),
        ({"servers": [1]}, ("invalid", "$.servers[0]", "expected text, found a whole number", "put it in quotes")),
        ({"count": 0}, ("invalid", "$.count", "expected a whole number ≥ 1 and ≤ 10", None)),
        ({"count": 11}, ("invalid", "$.count", "expected a whole number ≥ 1 and ≤ 10", None)),
        ({"count": "3"}, ("invalid", "$.count", "expected a whole number, found text", "write it without quotes")),
        (
            {"count": "1_000"},
            ("invalid", "$.count", "expected a whole number, found text", "write plain digits, without quotes"),
        ),
        ({"count": None}, ("invalid", "$.count", "expected a whole number, found null", None)),
        ({"count": True}, ("invalid", "$.count", "expected a whole number, found true or false", None)),
        ({"flag": "yes"}, ("invalid", "$.flag", "expected true or false, found text", "write true, without quotes")),
        ({"flag": "off"}, ("invalid", "$.flag", "expected true or false, found text", "write false, without quotes")),
        ({"size": "1 meg"}, ("invalid", "$.size", SIZE, None)),
        ({"size": 1024}, ("invalid", "$.size", SIZE, None)),
        ({"mode": "fats"}, ("invalid", "$.mode", "expected one of fast, slow", "did you mean `fast`?")),
        ({"password": 12345}, ("invalid", "$.password", "expected text, found a whole number", "put it in quotes")),
        ({"when": ["a"]}, ("invalid", "$.when", "expected an expression, found a list", None)),
        ({"topic": ["a"]}, ("invalid", "$.topic", "expected text or a mapping, found a list", None)),
        ({"topic": {"exp": "a"}}, ("unknown_key", "$.topic.exp", "unknown field `exp`", "did you mean `expr`?")),
        ({"format": "cvs"}, ("invalid", "$.format", "expected one of json, csv, text, raw", "did you mean `csv`?")),
        (
            {"format": {"columns": []}},
            ("missing", "$.format.type", "`type` is required", "say which kind it is: one of json, csv, text, raw"),
        ),
        (
            {"format": {"type": "csv", "nul": []}},
            ("unknown_key", "$.format.nul", "unknown field `nul`", "did you mean `nulls`?"),
        ),
        (
            {"limits": ["x"]},
            (
                "invalid",
                "$.limits",
                "expected a mapping, found a list",
                "remove the `- ` before its fields: initial, factor, attempts",
            ),
        ),
        ({"limits": {"initial": 5}}, ("invalid", "$.limits.initial", DURATION, None)),
        (
            {"limits": {"attempts": "unlimitd"}},
            (
                "invalid",
                "$.limits.attempts",
                "expected `unlimited` or a whole number ≥ 1",
                "did you mean `unlimited`?",
            ),
        ),
        (
            {"limits": {"attempts": 0}},
            ("invalid", "$.limits.attempts", "expected `unlimited` or a whole number ≥ 1", None),
        ),
        ({"limits": {"factor": math.inf}}, ("invalid", "$.limits.factor", "expected a finite number", None)),
        ({"limits": {"factor": math.nan}}, ("invalid", "$.limits.factor", "expected a finite number", None)),
        (
            {"limits": "1s"},
            (
                "invalid",
                "$.limits",
                "expected a mapping, found text",
                "write its fields below it: initial, factor, attempts",
            ),
        ),
        (
            {"labels": ["a"]},
            (
                "invalid",
                "$.labels",
                "expected a mapping, found a list",
                "write it as a mapping: {name: value}, or one `name: value` per line",
            ),
        ),
        ({"names": []}, ("invalid", "$.names", "expected a list of text of at least length 1", None)),
        ({"labels": {"a b": "x"}}, ("invalid", '$.labels["a b"]', "expected a whole number, found text", None)),
        ({"mode": "slow", "flag": True}, ("invalid", "$", "mode slow takes no flag", None)),
        ({"Server": 1}, ("unknown_key", "$.Server", "unknown field `Server`", "did you mean `servers`?")),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_remedy(
    changes: dict[str, Any], expected: tuple[str, str, str, str | None]
) -> None:
    assert expected in mistakes(**changes)


def test_all_mistakes_are_reported_at_once() -> None:
    assert [(m[0], m[1]) for m in mistakes(count="x", flag="maybe", nonsense=1, limits={"factor": 0, "x": 1})] == [
        ("unknown_key", "$.nonsense"),
        ("invalid", "$.count"),
        ("invalid", "$.flag"),
        ("unknown_key", "$.limits.x"),
        ("invalid", "$.limits.factor"),
    ]


def test_a_missing_field_is_explained_by_its_documentation() -> None:
    findings: list[Finding] = []
    assert parse(Sample, {"topic": "t"}, "$.sink.config", findings) is None
    assert [(f.code, f.path, f.hint) for f in findings] == [("config.missing", "$.sink.config.servers", "Where.")]


def test_a_mistake_elsewhere_does_not_hide_a_good_part() -> None:
    findings = [Finding(code="config.invalid", path="$.sinks", message="unrelated")]
    assert parse(Sample, GOOD, "$.sink", findings) == parsed()


def test_a_tagged_union_may_be_given_by_its_tag_alone() -> None:
    assert parsed(format="csv").format == CsvFormat()


@pytest.mark.parametrize(
    ("text", "field_name", "value"), [("7", "count", 7), ("true", "flag", True), ("2KiB", "size", Size(2048))]
)
def test_a_reference_stands_for_a_number(text: str, field_name: str, value: object) -> None:
    assert getattr(parsed(**{field_name: Resolved(text)}), field_name) == value


def test_what_a_reference_names_is_not_repeated_in_messages() -> None:
    for name in ("count", "flag", "size", "mode", "limits", "servers", "format", "labels"):
        for mistake in mistakes(**{name: Resolved("hunter2")}):
            assert "hunter2" not in str(mistake)


def test_a_reference_can_not_smuggle_in_an_expression() -> None:
    ((code, path, message, _),) = mistakes(when=Resolved("1 = 1"))
    assert (code, path) == ("invalid", "$.when")
    assert message == "a reference can't be part of an expression"


def test_text_from_a_reference_is_plain_text_afterwards() -> None:
    assert type(parsed(topic=Resolved("t")).topic) is str


def test_a_secret_is_never_shown() -> None:
    secret = parsed(password="hunter2").password
    assert secret is not None
    assert "hunter2" not in f"{secret} {secret!r} {parsed(password='hunter2')!r}"
    assert secret.reveal() == "hunter2"
    assert {secret} == {Secret("hunter2")}


def test_documentation_of_a_field() -> None:
    by_name = {f.name: f.type for f in fields_of(Sample)}
    assert description(by_name["servers"]) == "Where."
    assert description(by_name["count"]) is None
    assert description(by_name["topic"]) is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [("kafak", "did you mean `kafka`?"), ("KAFKA", "did you mean `kafka`?"), ("zzz", None), (7, None)],
)
def test_suggestions(word: object, expected: str | None) -> None:
    assert suggest(word, ["kafka", "file", "stdin"]) == expected


plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(plain_data, st.sampled_from([f.encode_name for f in fields_of(Sample)]))
def test_no_data_makes_parsing_fail_otherwise_than_by_findings(data: Any, name: str) -> None:
    findings: list[Finding] = []
    result = parse(Sample, {**GOOD, name: data}, "$", findings)
    assert (result is None) == bool(findings)
    findings.clear()
    parse(Sample, data, "$", findings)
