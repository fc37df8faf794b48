"""What a sample of a file says about it: the format, the types of a CSV file's columns, the cells that mean NULL."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, cast

from wire.core.errors import ConfigError, Finding, RecordError
from wire.core.formats import ColumnType, CsvFormat, Format, JsonFormat, TextFormat
from wire.core.paths import ROOT
from wire.pipelines.codecs.cells import cell_reader

_ROWS: Final = 10_000
_LONGEST_LINE: Final = 1 << 20
_DELIMITERS: Final = (",", "\t", ";", "|")
_NULLS: Final = ("", "NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "\\N", "-")
_TYPES: Final[tuple[ColumnType, ...]] = ("bigint", "double", "boolean", "date", "timestamp")
_LEADING_ZERO = re.compile(r"[-+]?0\d")


@dataclass(frozen=True, slots=True)
class Sample:
    """A file's format, its first record as the source would decode it from JSON, and how many rows were looked at."""

    format: Format
    rows: int
    first: dict[str, Any] = field(default_factory=dict)


def look_at(path: Path) -> Sample:
    """Look at the start of a file. Raises ConfigError (`config.unreadable`) if that is not possible."""
    try:
        with _open(path) as file:
            lines = list(itertools.islice(_lines(file), _ROWS + 1))
    except (OSError, EOFError) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
        raise _unreadable(f"the sample {path} can't be read: {reason.lower()}") from exc
    except UnicodeDecodeError as exc:
        raise _unreadable(f"the sample {path} is not UTF-8 text") from exc
    if not lines or not lines[0].strip():
        raise _unreadable(f"the sample {path} is empty")
    if lines[0].lstrip().startswith("{"):
        return _json(lines)
    delimiter = max(_DELIMITERS, key=lines[0].count)
    if lines[0].count(delimiter) == 0:
        return Sample(TextFormat(), len(lines), {"value": lines[0]})
    return _csv(lines, delimiter)


def _open(path: Path) -> IO[str]:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    if magic == b"\x28\xb5\x2f\xfd":
        try:
            import zstandard
        except ImportError as exc:
            hint = "pip install 'wire-cluster[zstd]'"
            raise _unreadable(f"the sample {path} is compressed with zstd", hint) from exc
        return cast(IO[str], zstandard.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open("r", encoding="utf-8-sig", newline="")


def _lines(file: IO[str]) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        yield line.rstrip("\r\n")


def _unreadable(message: str, hint: str | None = None) -> ConfigError:
    return ConfigError([Finding(code="config.unreadable", path=ROOT, message=message, hint=hint)])


def _json(lines: Sequence[str]) -> Sample:
    try:
        first = json.loads(lines[0])
    except ValueError:
        first = {}
    return Sample(JsonFormat(), len(lines), first)


def _csv(lines: Sequence[str], delimiter: str) -> Sample:
    header, *rows = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=delimiter)
    rows = [row for row in rows if len(row) == len(header)]
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in header]
    nulls = [cell for cell in _NULLS if not cell or any(_is_null_in(cell, column) for column in columns)]
    types = {name: kind for name, column in zip(header, columns, strict=True) if (kind := _type(column, nulls))}
    first = (
        {name: _value(cell, types.get(name), nulls) for name, cell in zip(header, rows[0], strict=True)} if rows else {}
    )
    return Sample(CsvFormat(types=types, nulls=nulls, delimiter=delimiter), len(rows), first)


def _is_null_in(cell: str, column: Sequence[str]) -> bool:
    """Say whether a column holds this cell and would have a type without it."""
    return cell in column and _type(column, _NULLS) is not None


def _type(column: Sequence[str], nulls: Sequence[str]) -> ColumnType | None:
    """Return the first type that all cells have, None for text."""
    cells = set(column).difference(nulls)
    if not cells or any(_LEADING_ZERO.match(cell) and "." not in cell[:3] and ":" not in cell for cell in cells):
        return None  # 01234 is a code, not a number
    for kind in _TYPES:
        read = cell_reader(kind, "sample")
        if all(_fits(read, kind, cell) for cell in cells):
            return kind
    return None


def _fits(read: Callable[[str], Any], kind: ColumnType, cell: str) -> bool:
    if kind == "date" and len(cell) > len("2013-01-31"):
        return False  # a date with a time is read as a date, too, but that would lose the time
    try:
        read(cell)
    except RecordError:
        return False
    return True


def _value(cell: str, kind: ColumnType | None, nulls: Sequence[str]) -> Any:
    """Return a cell as one would write it in a test: numbers as numbers, dates as text."""
    if cell in nulls:
        return None
    return cell_reader(kind, "sample")(cell) if kind in ("bigint", "double", "boolean") else cell
