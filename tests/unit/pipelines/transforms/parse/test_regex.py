from __future__ import annotations

import ipaddress
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipelines.transforms.kit import codes, finding, node, run, stage, transformed
from wire.core.errors import ConfigError
from wire.pipelines.transforms import parse
from wire.pipelines.transforms.parse.grok import PATTERNS


def found(pattern: str, text: str, **patterns: str) -> Any:
    step = {"parse": {"expr": "m", "as": {"type": "regex", "pattern": pattern, "patterns": patterns}, "into": "y"}}
    (row,) = transformed([{**step}], {"m": text})
    return row["y"]


@pytest.mark.parametrize(
    ("pattern", "text", "values"),
    [
        (r"(?P<a>\d+)-(?P<b>\w+)", "x 12-y z", {"a": "12", "b": "y"}),
        (r"(?<a>\d+)", "12", {"a": "12"}),
        (r"(x)(?P<a>.)(y)(?P<b>.)", "x1y2", {"a": "1", "b": "2"}),
        (r"(?P<a>x)?(?P<b>y)", "y", {"a": None, "b": "y"}),
        (r"(?P<a>)$", "y", {"a": ""}),
        (r"(?i)(?P<a>ABC)", "xabc", {"a": "abc"}),
        (r"(?P<a>ü.)", "xüé", {"a": "üé"}),
        (r"%{WORD:verb} %{NUMBER:n:int} %{NUMBER:x:float}s", "GET 7 0.5s", {"verb": "GET", "n": 7, "x": 0.5}),
        (r"%{WORD} %{WORD:second}", "a b", {"second": "b"}),
        (r"%{IP:client.ip} %{WORD:a b}", "1.2.3.4 x", {"client.ip": "1.2.3.4", "a b": "x"}),
        (r"(?:%{IP:from}|%{HOSTNAME:from})", "host-1", {"from": "host-1"}),
        (r"(?P<n>%{INT})%{SPACE}(?P<unit>[a-z]+)", "12 kg", {"n": "12", "unit": "kg"}),
        (r"\%{WORD:x} (?P<a>.)", "%{WORD:x} y", {"a": "y"}),
        (r"[(?P<x>](?P<a>.)", "<b", {"a": "b"}),
        (r"[]%{WORD:x}]+(?P<a>[^]]+)[[:alpha:]]", "]bc", {"a": "b"}),
        (r"\(?P<(?P<a>.)", "(P<z", {"a": "z"}),
    ],
)  # fmt: skip
def test_what_has_a_name_is_kept(pattern: str, text: str, values: dict[str, Any]) -> None:
    assert found(pattern, text) == values


def test_patterns_may_be_made_of_others() -> None:
    patterns = {"SIZE": "%{NUMBER:size:float}(?:%{UNIT:unit})?", "UNIT": "[kM]B"}
    assert found("took %{SIZE}", "took 1.5kB", **patterns) == {"size": 1.5, "unit": "kB"}
    assert found("%{WORD:w}", "--x--", WORD="-+") == {"w": "--"}  # one's own come first


def test_what_was_found_becomes_fields_in_the_order_of_the_pattern() -> None:
    step = {"parse": {"expr": "m", "as": {"type": "regex", "pattern": "(?P<b>.)(?P<m>.)"}}}
    (row,) = transformed([step], {"a": 0, "b": 0, "m": "xy", "c": 0})
    assert list(row.items()) == [("a", 0), ("b", "x"), ("m", "y"), ("c", 0)]


def test_text_that_does_not_match_fails_its_record() -> None:
    step = {"parse": {"expr": "m", "as": {"type": "regex", "pattern": "^(?P<a>[0-9]+)$"}}}
    result = run(stage(step), {"m": "12"}, {"m": "12x"}, {"m": "x" * 1_000_000})
    assert codes(result) == [(1, "transform.parse.no_match"), (2, "transform.parse.no_match")]
    assert len(result.failures[1][1].message) < 300


@pytest.mark.parametrize(("kind", "text"), [("int", "1.5"), ("int", "9" * 5000), ("float", "x")])
def test_what_is_no_number_fails_its_record(kind: str, text: str) -> None:
    step = {"parse": {"expr": "m", "as": {"type": "regex", "pattern": f"%{{NOTSPACE:n:{kind}}}"}}}
    assert codes(run(stage(step), {"m": text}, {"m": "1"})) == [(0, "transform.parse.invalid")]


LAUGHS = {"A0": "x" * 10, **{f"A{n}": f"%{{A{n - 1}}}" * 10 for n in range(1, 10)}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"pattern": "a"}, "names nothing"),
        ({"pattern": "(?P<a>"}, "missing"),
        ({"pattern": "(?P<a>x)(?=y)"}, "not a regular expression"),
        ({"pattern": r"(?P<a>x)\1"}, "not a regular expression"),
        ({"pattern": "%{NUMBR:a}"}, "no pattern `NUMBR`"),
        ({"pattern": "%{A:a}", "patterns": {"A": "%{B}", "B": "%{C}"}}, "(in `B`)"),
        ({"pattern": "%{A:a}", "patterns": {"A": "%{B}", "B": "x%{A}?"}}, "refers to itself"),
        ({"pattern": "%{WORD:a:date}"}, "no type"),
        ({"pattern": "(?P<a>x)" + "y" * 70_000}, "too long"),
        ({"pattern": "%{A9:a}", "patterns": LAUGHS}, "too long"),
        ({"pattern": "(?P<a>((x{1000}){1000}){1000})"}, "not a regular expression"),
    ],
)  # fmt: skip
def test_mistakes_are_found_when_it_is_built(config: dict[str, Any], message: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ConfigError) as caught:
        node({"parse": {"expr": "m", "as": {"type": "regex", **config}}})
    assert finding(caught.value) == ("config.invalid", "$.transforms[0].parse.as.pattern")
    assert message in caught.value.message
    assert caught.value.hint
    assert time.perf_counter() - start < 5


def test_a_misspelt_pattern_is_guessed() -> None:
    with pytest.raises(ConfigError) as caught:
        node({"parse": {"expr": "m", "as": {"type": "regex", "pattern": "%{NUMBR:a}"}}})
    assert caught.value.hint == "did you mean `NUMBER`?"


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_every_pattern_that_comes_with_it_can_be_used(name: str) -> None:
    node({"parse": {"expr": "m", "as": {"type": "regex", "pattern": f"%{{{name}:a}}"}}})
    assert f"`{name}`" in str(parse.__doc__)


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("UUID", "id=123e4567-e89b-12d3-a456-426614174000;", "123e4567-e89b-12d3-a456-426614174000"),
        ("QUOTEDSTRING", r'say "a \"b\" c" now', r'"a \"b\" c"'),
        ("LOGLEVEL", "[WARN] x", "WARN"),
        ("EMAILADDRESS", "<jo.do+x@mail.example.com>", "jo.do+x@mail.example.com"),
        ("MAC", "at 00:1b:44:11:3a:b7 x", "00:1b:44:11:3a:b7"),
        ("HOSTPORT", "from 10.0.0.1:443,", "10.0.0.1:443"),
        ("HOSTPORT", "from db-1.example.com:5432,", "db-1.example.com:5432"),
        ("URI", "see https://a.example.com:8443/x/y?q=1 now", "https://a.example.com:8443/x/y?q=1"),
        ("URIPATHPARAM", "GET /a/b?x=1 HTTP", "/a/b?x=1"),
        ("UNIXPATH", "in /var/log/app.log ", "/var/log/app.log"),
        ("WINPATH", r"in C:\Users\jo ", r"C:\Users\jo"),
        ("TIMESTAMP_ISO8601", "x 2013-01-01T10:00:00.5+02:00 y", "2013-01-01T10:00:00.5+02:00"),
        ("TIMESTAMP_ISO8601", "2013-01-01 10:00", "2013-01-01 10:00"),
        ("HTTPDATE", "[10/Oct/2000:13:55:36 -0700]", "10/Oct/2000:13:55:36 -0700"),
        ("SYSLOGTIMESTAMP", "<34>Oct  1 22:14:15 x", "Oct  1 22:14:15"),
        ("NUMBER", "x=-1.5e-3,", "-1.5e-3"),
        ("BASE16NUM", "at 0xDEADbeef.", "0xDEADbeef"),
        ("IP", "from ::ffff:10.0.0.1 to", "::ffff:10.0.0.1"),
    ],
)
def test_the_patterns_that_come_with_it_match_what_they_are_called(name: str, text: str, part: str) -> None:
    before = text[: text.index(part)]
    anchor = "".join("\\" + c if not c.isalnum() and c.isascii() and c != " " else c for c in before)
    assert found(f"^{anchor}%{{{name}:a}}", text) == {"a": part}


@given(st.ip_addresses().map(str), st.sampled_from(["", " x", ",", "/24"]))
def test_every_address_is_found_whole(address: str, behind: str) -> None:
    assert found("^%{IP:a}", address + behind) == {"a": address}


@given(st.text("0123456789abf:.", max_size=20))
def test_what_is_taken_for_an_address_is_one(text: str) -> None:
    step = {"parse": {"expr": "m", "as": {"type": "regex", "pattern": "^%{IP:a}$"}, "on_error": None}}
    (row,) = transformed([step], {"m": text})
    try:
        ipaddress.ip_address(text)
    except ValueError:
        assert row["a"] is None
    else:
        assert row["a"] == text


LINE = (
    '203.0.113.7 - jo [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 200 - '
    '"https://example.com/" "Mozilla/5.0 (X11; Linux)"'
)


def test_lines_of_web_servers_and_syslog_are_known() -> None:
    assert found("^%{COMBINEDAPACHELOG}$", LINE) == {
        "client": "203.0.113.7", "ident": "-", "auth": "jo", "timestamp": "10/Oct/2000:13:55:36 -0700", "verb": "GET",
        "request": "/a?b=1", "http_version": "1.1", "raw_request": None, "status": 200, "bytes": None,
        "referrer": "https://example.com/", "agent": "Mozilla/5.0 (X11; Linux)",
    }  # fmt: skip
    assert found("^%{SYSLOGLINE}$", "Oct 11 22:14:15 web-1 sshd[42]: Accepted key for jo") == {
        "timestamp": "Oct 11 22:14:15", "host": "web-1", "program": "sshd", "pid": 42, "message": "Accepted key for jo",
    }  # fmt: skip


def test_the_time_it_takes_is_linear_in_the_text() -> None:
    compiled = stage({"parse": {"expr": "m", "as": {"type": "regex", "pattern": "(?P<a>(x+x+)+y)"}, "on_error": None}})
    start = time.perf_counter()
    run(compiled, {"m": "x" * 100_000})
    assert time.perf_counter() - start < 5
