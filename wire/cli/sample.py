"""What a sample of a file says about it: the format, the types of a CSV file's columns, the cells that mean NULL."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from wire.clients.compression import DamagedError, TruncatedError, codec_of_content, decompressed
from wire.core.errors import ConfigError, Finding, RecordError
from wire.core.formats import ColumnType, CsvFormat, Format, JsonFormat, TextFormat
from wire.core.paths import ROOT
from wire.pipelines.codecs.cells import cell_reader

_ROWS: Final = 10_000
_MAX_BYTES: Final = 8 << 20
_PIECE: Final = 1 << 16
_MAGIC_BYTES: Final = 4
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
        lines = _first_lines(path)
    except OSError as exc:
        raise _unreadable(
            f"the sample {path} can't be read: {(exc.strerror or str(exc)).lower()}",
            "check the path and its permissions",
        ) from exc
    except (DamagedError, TruncatedError) as exc:
        raise _unreadable(f"the sample {path} is damaged", "get it again, or give a file that can be unpacked") from exc
    except UnicodeDecodeError as exc:
        raise _unreadable(
            f"the sample {path} is not UTF-8 text", "convert it first, as in `iconv -f latin1 -t utf-8`"
        ) from exc
    if not lines or not lines[0].strip():
        raise _unreadable(f"the sample {path} is empty", "give a file with some rows, or leave out --sample")
    if lines[0].lstrip().startswith("{"):
        return _json(lines)
    delimiter = max(_DELIMITERS, key=lines[0].count)
    if lines[0].count(delimiter) == 0:
        return Sample(TextFormat(), len(lines), {"value": lines[0]})
    return _csv(lines, delimiter)


def _first_lines(path: Path) -> list[str]:
    with path.open("rb") as file:
        codec = codec_of_content(file.peek(_MAGIC_BYTES)[:_MAGIC_BYTES])
        stream, content = decompressed(file, codec), bytearray()
        while len(content) < _MAX_BYTES and (piece := stream.read(_PIECE)):
            content += piece
    lines = content.split(b"\n")
    whole = lines[:-1] if len(content) >= _MAX_BYTES or not lines[-1] else lines
    return [line.decode("utf-8-sig" if i == 0 else "utf-8").rstrip("\r") for i, line in enumerate(whole[: _ROWS + 1])]


def _unreadable(message: str, hint: str) -> ConfigError:
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
