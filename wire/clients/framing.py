"""Cutting a stream of bytes into rows: lines, or CSV rows whose quoted cells may hold line breaks.

The offset of a row is where it starts in the stream. Per chunk, not per row, Python runs a handful of calls, so that
plain lines are framed at several million a second.
"""

from __future__ import annotations

import functools
import operator
import re
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

from msgspec import Struct


class Rows(Struct):
    """Consecutive rows without their line breaks.

    `edges` has one item more than `values`: where each row starts, then where the row after the last one does.
    """

    values: list[bytes]
    edges: list[int]

    def fitting(self, first: int, *, max_rows: int, max_bytes: int) -> Rows:
        """Return the rows from `first` on that keep to both limits, and at least one."""
        most = min(first + max_rows, len(self.values))
        fitting = bisect_right(self.edges, self.edges[first] + max_bytes, first + 1, most + 1) - 1
        after = max(fitting, first + 1)
        return Rows(self.values[first:after], self.edges[first : after + 1])


class RowTooLargeError(Exception):
    """A row is longer than allowed. `offset` is where it starts."""

    def __init__(self, offset: int) -> None:
        """Remember where."""
        super().__init__(offset)
        self.offset = offset


Split = Callable[[bytes], list[bytes]]
"""Cuts bytes at the line breaks that end a row; the last item is what comes after the last of them."""


def split_lines(data: bytes) -> list[bytes]:
    """Cut at every line feed."""
    return data.split(b"\n")


def split_csv(delimiter: str) -> Split:
    """Return a function that cuts CSV rows apart, leaving line breaks inside quoted cells alone (RFC 4180)."""
    return functools.partial(_split_csv, _CsvQuotes(delimiter.encode()))


class Framer:
    """Takes the chunks of a stream in order and gives the rows that are complete.

    A carriage return before the line feed is not part of a row. Rows without content are left out unless `keep_blank`.
    """

    def __init__(self, start: int, *, max_row: int, split: Split = split_lines, keep_blank: bool = False) -> None:
        """Begin with a row that starts at `start`; a row longer than `max_row` bytes is refused."""
        self.end = start
        self._max_row = max_row
        self._split = split
        self._keep_blank = keep_blank
        self._rest = b""
        self._refused: int | None = None

    @property
    def pending(self) -> bool:
        """Whether `finish` has a row to give, or one to refuse."""
        return bool(self._rest) or self._refused is not None

    def feed(self, chunk: bytes) -> Rows:
        """Return the rows that `chunk` completes.

        Raises RowTooLargeError when the next row is too long; all rows before it were returned by then.
        """
        if self._refused is None and len(self._rest) > self._max_row:
            self._refused = self.end
        if self._refused is not None:
            raise RowTooLargeError(self._refused)
        data = self._rest + chunk if self._rest else chunk
        lines = self._split(data)
        self._rest = lines.pop()
        return self._framed(lines, data)

    def finish(self) -> Rows:
        """Return the last row, which has no line break; the stream has ended. Raises RowTooLargeError."""
        if self._refused is not None:
            raise RowTooLargeError(self._refused)
        rest, self._rest = self._rest, b""
        if not rest:
            return Rows([], [self.end])
        rows = self._framed([rest], rest)
        if self._refused is not None:
            raise RowTooLargeError(self._refused)
        self.end -= 1  # there was no line feed to count
        rows.edges[-1] = self.end
        return rows

    def _framed(self, lines: list[bytes], data: bytes) -> Rows:
        edges = list(map(operator.add, accumulate(map(len, lines), initial=self.end), range(len(lines) + 1)))
        if len(data) > self._max_row and max(map(len, lines), default=0) > self._max_row:
            first = next(i for i, line in enumerate(lines) if len(line) > self._max_row)
            self._refused = edges[first]
            lines, edges = lines[:first], edges[: first + 1]
        self.end = edges[-1]
        if b"\r" in data:
            lines = [line[:-1] if line[-1:] == b"\r" else line for line in lines]
        if not self._keep_blank and not all(lines):
            edges = [start for start, line in zip(edges, lines, strict=False) if line] + [self.end]
            lines = [line for line in lines if line]
        return Rows(lines, edges)


class _CsvQuotes:
    """Knows whether a quoted cell is still open at the end of a line.

    A quote opens a cell only at its beginning, as Python's csv module has it; elsewhere it is a character like others.
    """

    def __init__(self, delimiter: bytes) -> None:
        cell = rb'(?:[^"%b]*+|"(?:[^"]|"")*+")' % re.escape(delimiter)
        self._closed = re.compile(rb"%b(?:%b%b)*+\r?" % (cell, re.escape(delimiter), cell)).fullmatch
        self._delimiter = delimiter

    def opens(self, line: bytes) -> bool:
        """Say whether a line that begins outside of any cell ends inside one."""
        return self._closed(line) is None and self._open_after(line, 0)

    def stays_open(self, line: bytes) -> bool:
        """Say whether a line that begins inside a quoted cell ends inside one."""
        closing = self._closing(line, 0)
        if closing is None:
            return True
        following = line.find(self._delimiter, closing)
        return following >= 0 and self._open_after(line, following + 1)

    def _open_after(self, line: bytes, cell: int) -> bool:
        """Walk from the cell that begins at `cell` to the end of the line."""
        while True:
            after = cell
            if line[cell : cell + 1] == b'"':
                closing = self._closing(line, cell + 1)
                if closing is None:
                    return True
                after = closing
            following = line.find(self._delimiter, after)
            if following < 0:
                return False
            cell = following + 1

    def _closing(self, line: bytes, start: int) -> int | None:
        """Return where the quoted cell that `start` is inside of has ended, None if it goes on beyond the line."""
        while (quote := line.find(b'"', start)) >= 0:
            if line[quote + 1 : quote + 2] != b'"':
                return quote + 1
            start = quote + 2
        return None


def _split_csv(quotes: _CsvQuotes, data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    if b'"' not in data:
        return lines
    rows: list[bytes] = []
    open_row: list[bytes] = []
    for line in lines:
        if open_row:
            open_row.append(line)
            if b'"' in line and not quotes.stays_open(line):
                rows.append(b"\n".join(open_row))
                open_row = []
        elif b'"' in line and quotes.opens(line):
            open_row = [line]
        else:
            rows.append(line)
    if open_row:
        rows.append(b"\n".join(open_row))
    return rows
