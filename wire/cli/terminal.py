"""What the terminal can do: colours where they are wanted, its width, tables as aligned lines."""

from __future__ import annotations

import os
import shutil
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import TextIO

GAP = "  "


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

    def dim(self, text: str) -> str:
        """For what may be overlooked."""
        return self._paint("2", text)

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
    """Return lines with aligned columns; on a terminal, the last column is wrapped to its width."""
    widths = [max(width_of(row[i]) for row in [headings, *rows]) for i in range(len(headings) - 1)]
    indent = sum(widths) + len(GAP) * len(widths)
    room = max(shutil.get_terminal_size().columns - indent, 20) if style.terminal else 10_000
    lines = [style.bold(_line(headings, widths))]
    for row in rows:
        first, *more = textwrap.wrap(row[-1], room, break_on_hyphens=False) or [""]
        lines.append(_line([*row[:-1], first], widths))
        lines.extend(" " * indent + text for text in more)
    return lines


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - width_of(cell)) for cell, width in zip(cells, widths, strict=False)]
    return GAP.join([*padded, cells[-1]]).rstrip()
