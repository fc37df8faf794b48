"""Results as people read them: a line for each case, and below one that failed a table of what differs."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final, TextIO

from msgspec import UNSET

from wire.cli.terminal import GAP, Style, width_of
from wire.cli.testing.differences import Problem, shown
from wire.cli.testing.running import CaseResult, FileResult

_MARGIN: Final = "     "
_LEAST: Final = 24


def print_results(results: Sequence[FileResult], stream: TextIO) -> None:
    """Print all results and, last, how many passed."""
    style = Style(stream)
    for result in results:
        for line in _lines_of(result, style):
            print(line, file=stream)
    print(_summary(results), file=stream)


def _lines_of(result: FileResult, style: Style) -> Iterator[str]:
    if not result.cases and not result.findings and not result.left_out:
        yield f"{result.file}: no tests"
    for case in result.cases:
        passed = style.green("ok  ") if case.passed else style.yellow("new ") if case.updated else style.red("FAIL")
        yield f"{passed} {result.file}: {case.name}{_origin(case, result)}"
        if case.problems:
            yield from _table([_row(problem) for problem in case.problems], style)


def _origin(case: CaseResult, result: FileResult) -> str:
    return "" if case.file == result.file else f" ({os.path.relpath(case.file)})"


def _row(problem: Problem) -> tuple[str, str, str]:
    nothing, tell = ("nothing", shown) if problem.path.startswith("output") else ("no failure", _failures)
    expected = nothing if problem.expected is UNSET else tell(problem.expected, problem.found)
    return problem.path, expected, nothing if problem.found is UNSET else tell(problem.found, problem.expected)


def _failures(value: Any, _: Any) -> str:
    return value if isinstance(value, str) else f"{value} failure{'' if value == 1 else 's'}"


def _table(rows: Sequence[tuple[str, str, str]], style: Style) -> Iterator[str]:
    """Yield aligned lines: where, what was expected in green, what was found in red; wrapped on a terminal."""
    headings = ("where", "expected", "found")
    widths = [max(width_of(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    if style.terminal:
        room = shutil.get_terminal_size().columns - len(_MARGIN) - len(GAP) * 2 - widths[0]
        widths[1:] = _shared(max(room, 2 * _LEAST), widths[1], widths[2])
    yield style.bold(
        _MARGIN + GAP.join(_padded(text, width) for text, width in zip(headings, widths, strict=True)).rstrip()
    )
    for row in rows:
        cells = [_wrapped(text, width) for text, width in zip(row, widths, strict=True)]
        for i in range(max(map(len, cells))):
            where, expected, found = (cell[i] if i < len(cell) else "" for cell in cells)
            padded = _padded(expected, widths[1])
            line = f"{_MARGIN}{_padded(where, widths[0])}{GAP}{style.green(padded)}{GAP}{style.red(found)}"
            yield line.rstrip()


def _shared(room: int, left: int, right: int) -> tuple[int, int]:
    """Divide the room of two columns: evenly, unless one of them needs less than half."""
    if left + right <= room:
        return left, right
    half = room // 2
    if left <= half:
        return left, room - left
    return (room - right, right) if right <= half else (half, room - half)


def _wrapped(text: str, width: int) -> list[str]:
    if width_of(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))


def _summary(results: Sequence[FileResult]) -> str:
    cases = [case for result in results for case in result.cases]
    passed, updated = sum(case.passed for case in cases), sum(case.updated for case in cases)
    broken = sum(bool(result.findings) for result in results)
    counts = [f"{passed} passed", f"{len(cases) - passed - updated} failed"]
    counts += [f"{updated} updated"] if updated else []
    counts += [f"{broken} not run"] if broken else []
    left_out = sum(result.left_out for result in results)
    counts += [f"{left_out} left out"] if left_out else []
    return ", ".join(counts)
