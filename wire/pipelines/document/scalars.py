"""From a character of a scalar's value back to the character of the file it was written with."""

from __future__ import annotations

import re
from typing import Final

from wire.pipelines.document.node import Mark, Scalar

_PIECES: Final = {
    "'": re.compile("''|."),
    # JSON writes a character outside the basic plane as two escapes
    '"': re.compile(
        r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}"
        r"|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\.|."
    ),
}


def place_of(scalar: Scalar, lines: list[str], line: int, column: int) -> Mark | None:
    """Return the place in the file of a character of `scalar`'s text, None where folding makes that unclear."""
    if scalar.style in ("|", ">"):
        return _in_block(scalar, lines, line, column)
    if scalar.start.line != scalar.end.line or line != 1:
        return None
    if not scalar.style:
        return Mark(scalar.start.line, scalar.start.column + column - 1)
    raw = lines[scalar.start.line - 1][scalar.start.column : scalar.end.column - 2]
    pieces = _PIECES[scalar.style].findall(raw)[: column - 1]
    return Mark(scalar.start.line, scalar.start.column + 1 + sum(map(len, pieces)))


def _in_block(scalar: Scalar, lines: list[str], line: int, column: int) -> Mark | None:
    if scalar.style == ">" and "\n" in scalar.text.rstrip("\n"):
        return None
    first = scalar.start.line  # the content starts below the indicator; `lines` counts from 0
    while first < len(lines) and not lines[first].strip() and scalar.style == ">":
        first += 1
    content = [row for row in lines[first:] if row.strip()]
    written = scalar.text.split("\n")
    at = first + line - 1
    if not content or line > len(written) or at >= len(lines):
        return None
    indent = len(lines[at]) - len(written[line - 1]) if lines[at].endswith(written[line - 1]) else None
    return None if indent is None else Mark(at + 1, indent + column)


def mask(scalar: Scalar, lines: list[str]) -> None:
    """Replace what `scalar` was written with by stars, in place."""
    for at in range(scalar.start.line - 1, min(scalar.end.line, len(lines))):
        row = lines[at]
        start = scalar.start.column - 1 if at == scalar.start.line - 1 else 0
        end = scalar.end.column - 1 if at == scalar.end.line - 1 else len(row)
        lines[at] = row[:start] + "*" * (end - start) + row[end:]
