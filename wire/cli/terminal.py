"""What the terminal can do: colours where they are wanted, its width, tables as aligned lines."""

from __future__ import annotations

import itertools
import os
import shutil
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Final, TextIO

GAP: Final = "  "
_LEAST: Final = (14, 40)
"""The width to which a column is wrapped at most: any but the last, the last."""


class Style:
    """Colours for one stream: none unless it is a terminal that shows them and the user has not set NO_COLOR."""

    def __init__(self, stream: TextIO) -> None:
        """Look at the stream and the environment."""
        self.terminal = stream.isatty()
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._colours = self.terminal and not plain

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours and text else text

    def bold(self, text: str) -> str:
        """For headings."""
        return self._paint("1", text)

    def red(self, text: str) -> str:
        """For errors."""
        return self._paint("1;31", text)

    def yellow(self, text: str) -> str:
        """For warnings."""
        return self._paint("1;33", text)

    def green(self, text: str) -> str:
        """For what went well."""
        return self._paint("32", text)

    def cyan(self, text: str) -> str:
        """For hints and names."""
        return self._paint("36", text)


def width_of(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], style: Style) -> list[str]:
    """Return lines with aligned columns; on a terminal, cells are wrapped so that all of them fit."""
    widths = [max(width_of(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    if style.terminal:
        widths = _fitted(widths, shutil.get_terminal_size().columns - len(GAP) * (len(widths) - 1))
    lines = _row(headings, widths)
    lines[0] = style.bold(lines[0])
    return [*lines, *(line for row in rows for line in _row(row, widths))]


def _fitted(widths: Sequence[int], room: int) -> list[int]:
    """Return widths whose sum fits: the last column gives way first, then the widest of the others."""
    fitted = list(widths)
    for column in sorted(range(len(widths)), key=lambda i: (i == len(widths) - 1, widths[i]), reverse=True):
        excess = sum(fitted) - room
        if excess > 0:
            fitted[column] = max(fitted[column] - excess, min(fitted[column], _LEAST[column == len(widths) - 1]))
    return fitted


def _row(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    wrapped = [textwrap.wrap(c, width, break_on_hyphens=False) or [""] for c, width in zip(cells, widths, strict=True)]
    return [
        GAP.join(part + " " * (width - width_of(part)) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in itertools.zip_longest(*wrapped, fillvalue="")
    ]
