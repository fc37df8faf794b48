"""Records in files: the input of a case, what it expects, what a lookup finds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wire.core.errors import ConfigError, Finding
from wire.pipelines.codecs.cells import cell_text
from wire.pipelines.document import read as read_document

_cell: Final = cell_text("")


def read_rows(path: Path, where: str, nulls: Collection[str] = ("",)) -> list[Any]:
    """Return the records of a .jsonl, .json, .csv or .yaml file.

    Cells of CSV are text, and NULL where they are one of `nulls`. Raises ConfigError at `where`.
    """
    rows = _read(path, where, nulls)
    if isinstance(rows, list):
        return rows
    raise _unreadable(where, f"{path} is not a list of records", "write a list, or one record per line (.jsonl)")


def read_table(path: Path, where: str) -> Any:
    """Return what a file holds: a list of rows, or in .json and .yaml also a mapping. Raises ConfigError at `where`."""
    return _read(path, where, ("",))


def write_rows(path: Path, rows: Sequence[Any], old: Sequence[Any]) -> None:
    """Replace the records of a file that held `old`; columns of CSV keep their order. Raises OSError, ValueError."""
    path.write_text(_WRITERS[path.suffix](rows, old), encoding="utf-8", newline="")


def as_cells(row: Any) -> Any:
    """Return a record as it would come back from a CSV file: text and NULL."""
    return {name: _text(value) for name, value in row.items()} if isinstance(row, dict) else row


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(_cell(value))


def _read(path: Path, where: str, nulls: Collection[str]) -> Any:
    try:
        if path.suffix in (".yaml", ".yml"):
            return read_document(path).tree
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".csv":
            return _csv_rows(text, nulls)
        if path.suffix in (".jsonl", ".ndjson"):
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        if path.suffix == ".json":
            return json.loads(text or "[]")
    except OSError as exc:
        hint = "the path is relative to the file that names it; what is expected can begin as an empty file"
        raise _unreadable(where, f"{path} can't be read: {(exc.strerror or str(exc)).lower()}", hint) from exc
    except ConfigError as exc:
        at = f"{exc.findings[0].line}: " if exc.findings[0].line else ""
        raise _unreadable(where, f"{path}:{at}{exc.message}", exc.hint) from exc
    except (ValueError, csv.Error, RecursionError) as exc:
        raise _unreadable(where, f"{path} can't be read: {exc}", "correct the file") from exc
    raise _unreadable(where, f"{path} is of no kind that is known", "use .jsonl, .json, .csv or .yaml")


def _csv_rows(text: str, nulls: Collection[str]) -> list[Any]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns = next(lines, [])
    return [
        {name: None if cell in nulls else cell for name, cell in zip(columns, cells, strict=True)} for cells in lines
    ]


def _csv_text(rows: Sequence[Any], old: Sequence[Any]) -> str:
    columns = dict.fromkeys(name for row in [*old[:1], *rows] for name in row)
    output = io.StringIO(newline="")
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return output.getvalue()


def _json_lines(rows: Sequence[Any], _: Sequence[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _json_list(rows: Sequence[Any], _: Sequence[Any]) -> str:
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    return f"[\n{lines}\n]\n" if rows else "[]\n"


_WRITERS: Final[Mapping[str, Callable[[Sequence[Any], Sequence[Any]], str]]] = {
    ".csv": _csv_text,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_list,
}


def _unreadable(where: str, message: str, hint: str | None) -> ConfigError:
    return ConfigError([Finding(code="config.unreadable", path=where, message=message, hint=hint)])
