"""Errors as people read them."""

from __future__ import annotations

import io

import pytest

from wire.cli.report import print_error, print_findings
from wire.core.errors import ConfigError, FatalError, Finding


def shown(finding: Finding, lines: list[str], file: str | None = "p.yaml") -> str:
    stream = io.StringIO()
    print_findings([finding], file, lines, stream)
    return stream.getvalue()


def finding(**changes: object) -> Finding:
    given = {"code": "config.invalid", "path": "$.a.b", "message": "expected text", "line": 2, "column": 4}
    return Finding(**(given | changes))  # type: ignore[arg-type]


def test_a_finding_shows_its_line_with_a_caret() -> None:
    assert shown(finding(hint="quote it"), ["a:", "  b: 5"]) == (
        "error[config.invalid]: expected text\n  --> p.yaml:2:4  $.a.b\n  |\n2 |   b: 5\n  |    ^\n  = hint: quote it\n"
    )


def test_a_finding_without_a_place() -> None:
    bare = finding(line=None, column=None, path="$", severity="warning")
    assert shown(bare, ["a"]) == "warning[config.invalid]: expected text\n --> p.yaml\n"
    assert shown(bare, [], file=None) == "warning[config.invalid]: expected text\n"
    assert shown(finding(line=None, column=None), [], None) == "error[config.invalid]: expected text\n --> $.a.b\n"


def test_the_caret_stands_below_its_character_whatever_comes_before() -> None:
    text = shown(finding(line=1, column=6), ["日本\te\u0301x = 1"]).splitlines()
    assert text[3].startswith("1 | 日本 e\u0301x")
    assert text[4] == "  | " + " " * 6 + "^", "two wide characters, a tab, an e with its accent"


def test_a_long_line_is_cut_around_the_place() -> None:
    text = shown(finding(line=1, column=5000), ["x" * 4999 + "!" + "y" * 5000]).splitlines()
    assert len(text[3]) < 130
    assert text[3][text[4].index("^")] == "!"
    assert text[3].endswith("…")


def test_a_line_beyond_the_text_is_not_shown() -> None:
    assert len(shown(finding(line=9), ["a"]).splitlines()) == 2


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(FatalError("sink.stdout.closed", "the reader has gone", hint="start it again"))
    print_error(ConfigError([finding(), finding(path="$.c", line=None, column=None)]))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error[sink.stdout.closed]: the reader has gone\n = hint: start it again\n")
    assert err.count("error[config.invalid]") == 2
