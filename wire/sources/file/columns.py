"""The columns of a set of CSV files, which need not have the same header."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Sequence
from typing import Final

from wire.core.errors import FatalError
from wire.core.formats import CsvFormat
from wire.sources.file.names import name_of

Remap = Callable[[list[bytes]], list[bytes]]

_LINE_END: Final = "\r\n"
"""The writer puts cells with a line break in quotes only where the line end has that character too."""


def header_of(row: bytes, delimiter: str, path: str) -> list[str]:
    """Return the names in a header row. Raises FatalError when they can't be the names of columns."""
    try:
        names = next(csv.reader([row.decode()], delimiter=delimiter))
    except UnicodeDecodeError as exc:
        raise _invalid(path, f"the first row is not UTF-8 text: {exc.reason} at byte {exc.start}") from exc
    except csv.Error as exc:
        raise _invalid(path, f"the first row can't be read: {exc}") from exc
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise _invalid(path, f"two columns are called `{twice}`")
    return names


def _invalid(path: str, what: str) -> FatalError:
    hint = "mend the first row, or give the names in `format.columns`"
    return FatalError("source.file.header_invalid", f"{name_of(path)}: {what}", hint=hint)


class Columns:
    """The columns that the pipeline knows, and how each file's rows come to have exactly these."""

    def __init__(self, csv_format: CsvFormat) -> None:
        """Begin with the columns the configuration names, if it does."""
        self.names = csv_format.columns
        self._format = csv_format

    def learn(self, headers: Sequence[list[str]]) -> None:
        """Take all columns of these headers, in the order in which they come up."""
        self.names = list(dict.fromkeys(name for header in headers for name in header))

    def header(self, row: bytes, path: str) -> list[str] | None:
        """Return the names in a file's first row, None when it is a record already."""
        if self._format.columns is not None:
            with contextlib.suppress(csv.Error):
                cells = next(csv.reader([row.decode(errors="replace")], delimiter=self._format.delimiter), [])
                return cells if sorted(cells) == sorted(self.names or []) else None
            return None
        return header_of(row, self._format.delimiter, path)

    def remap(self, header: list[str] | None, path: str) -> Remap | None:
        """Return what brings the rows of a file with this header into the pipeline's order, None if they are in it.

        Raises FatalError when the file has a column that the pipeline doesn't know.
        """
        known = self.names or []
        if header is None or header == known:
            return None
        unknown = [name for name in header if name not in known]
        if unknown:
            raise FatalError(
                "source.file.header_changed",
                f"{name_of(path)} has columns that no file had when the pipeline started: {', '.join(unknown)}",
                hint="start the pipeline again: it takes up the columns of all files there are",
            )
        return _Remap([header.index(name) if name in header else None for name in known], len(header), self._format)


class _Remap:
    def __init__(self, order: list[int | None], width: int, csv_format: CsvFormat) -> None:
        self._order = order
        self._width = width
        self._delimiter = csv_format.delimiter
        self._null = next(iter(csv_format.nulls), "")

    def __call__(self, rows: list[bytes]) -> list[bytes]:
        return [self._row(row) for row in rows]

    def _row(self, row: bytes) -> bytes:
        text = row.decode(errors="surrogateescape")
        try:
            cells = next(csv.reader([text], delimiter=self._delimiter), [])
        except csv.Error:
            return row
        if len(cells) != self._width:  # not a row of this file: make sure that it isn't taken for one of the pipeline's
            return row + self._delimiter.encode() if len(cells) == len(self._order) else row
        output = io.StringIO()
        csv.writer(output, delimiter=self._delimiter, lineterminator=_LINE_END).writerow(
            self._null if index is None else cells[index] for index in self._order
        )
        return output.getvalue().removesuffix(_LINE_END).encode(errors="surrogateescape")
