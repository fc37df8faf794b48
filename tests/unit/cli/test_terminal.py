"""Tables and colours."""

from __future__ import annotations

import io

import pytest

from wire.cli.numbers import count, duration, rate, size
from wire.cli.terminal import Style, table, width_of


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")


def test_colours_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Style(Terminal()).red("x") == "\x1b[1;31mx\x1b[0m"
    assert Style(io.StringIO()).red("x") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Style(Terminal()).red("x") == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert Style(Terminal()).red("x") == "x"


ROWS = [["a", "short", "one two three " * 8], ["日本", "a much longer cell that needs some room", "z"]]


def test_a_table_in_a_file_has_one_line_per_row() -> None:
    lines = table(["X", "Y", "Z"], ROWS, Style(io.StringIO()))
    assert len(lines) == 3
    assert lines[0].split() == ["X", "Y", "Z"]
    assert width_of(lines[1][: lines[1].index("one")]) == width_of(lines[2][: lines[2].index("z")])


def test_a_table_on_a_terminal_fits_it() -> None:
    lines = table(["X", "Y", "Z"], ROWS, Style(Terminal()))
    assert len(lines) > 3
    assert all(width_of(line.replace("\x1b[1m", "").replace("\x1b[0m", "")) <= 60 for line in lines)
    assert " ".join(" ".join(line.split()) for line in lines).count("three") == 8, "nothing is cut off"


def test_an_empty_table_has_its_headings() -> None:
    assert table(["X", "Y"], [], Style(io.StringIO())) == ["X  Y"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (5 << 30, "5.0 GiB"),
        (1 << 60, "1048576.0 TiB"),
    ],
)
def test_sizes(number: float, text: str) -> None:
    assert size(number) == text


def test_other_numbers() -> None:
    assert count(27004) == "27,004"
    assert [rate(n) for n in (0, 0.25, 9.9, 12345.6)] == ["0/s", "0.2/s", "9.9/s", "12,346/s"]
    assert [duration(s) for s in (0.44, 9.9, 59, 61, 3725)] == ["0.4s", "9.9s", "59s", "1m01s", "1h02m05s"]
