"""What `wire test` prints."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from wire.cli.testing.running import run_file
from wire.cli.testing.showing import print_results

SPEC = """\
name: p
source: {type: stdin}
transforms:
  - select: "n::INT AS n, s"
sink: {type: stdout}
tests:
  - {name: right, input: [{n: 1}], output: [{n: 1, s: null}]}
  - {name: wrong, input: [{n: 2, s: LONG}, {n: x}], output: [{n: 1, s: "b"}, {n: 1}]}
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def printed(tmp_path: Path, stream: io.StringIO, text: str = "c") -> list[str]:
    path = tmp_path / "p.yaml"
    path.write_text(SPEC.replace("LONG", f'"{text}"'))
    print_results([run_file(path, [])[0]], stream)
    return stream.getvalue().replace(str(path), "p.yaml").splitlines()


def test_a_case_that_fails_has_an_aligned_table_of_its_differences(tmp_path: Path) -> None:
    assert printed(tmp_path, io.StringIO()) == [
        "ok   p.yaml: right",
        "FAIL p.yaml: wrong",
        "     where        expected    found",
        "     input[1]     no failure  expression.cast at $.transforms[0]: could not convert 'x' to INTEGER"
        " (hint: TRY_CAST gives NULL instead)",
        "     output[0].n  1           2",
        '     output[0].s  "b"         "c"',
        '     output[1]    {"n": 1}    nothing',
        "1 passed, 1 failed",
    ]


def test_on_a_terminal_it_is_coloured_and_no_wider_than_that(tmp_path: Path) -> None:
    lines = printed(tmp_path, Terminal(), "word " * 60)
    assert any('\x1b[32m"b"' in line and '\x1b[1;31m"word' in line for line in lines)
    plain = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    assert max(map(len, plain)) <= 80
    assert sum("word" in line for line in plain) > 3


def test_cases_left_out_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(SPEC)
    stream = io.StringIO()
    print_results([run_file(path, [], "right")[0]], stream)
    assert stream.getvalue().splitlines()[-1] == "1 passed, 0 failed, 1 left out"
