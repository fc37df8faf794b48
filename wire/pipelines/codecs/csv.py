"""Rows of comma-separated values, one per record.

Cells have declared types; a cell that is not of its type fails its record with the column's name. `nulls` are the cells
that mean NULL; quotes around a cell make no difference to that. A row has as many cells as there are columns. Values
are written as the types are read: TIMESTAMP `2013-01-01T10:00:00Z`, lists and structs as JSON, NULL as the first of
`nulls`. A record may lack columns (they are NULL) but not have others: a file has one header, so a field that turns up
in mid-stream fails its record with `record.unknown_column`.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from wire.core.errors import RecordError
from wire.core.formats import CsvFormat
from wire.core.paths import child
from wire.core.records import Record
from wire.pipelines.codecs.cells import PLAIN, cell_reader, cell_text
from wire.pipelines.codecs.faults import invalid, unreadable, unwritable
from wire.pipelines.codecs.ports import Decoded, Names

csv.field_size_limit(sys.maxsize)  # the limit is the process's; how large a record may be is decided by the source


def check(form: CsvFormat, path: str) -> None:
    """Raise ConfigError for a format that no row can have."""
    if len(form.delimiter) != 1 or form.delimiter in '"\r\n':
        hint = 'write the one character that stands between cells; a tab is "\\t"'
        raise invalid(child(path, "delimiter"), "`delimiter` is not a single character that can separate cells", hint)
    twice = [name for name, count in Counter(form.columns or ()).items() if count > 1]
    if twice:
        found = ", ".join(f"`{name}`" for name in twice)
        raise invalid(child(path, "columns"), f"several columns are called {found}", "give each its own name")


class CsvDecoder:
    """Source that decodes rows; the whole batch is split into cells at once."""

    def __init__(self, form: CsvFormat, path: str) -> None:
        """`path` is where the user chose the format. Raises ConfigError for a format that no row can have."""
        check(form, path)
        self._form = form
        self._path = path
        self.typed: frozenset[str] | None = frozenset(name for name, kind in form.types.items() if kind == "timestamp")

    def fields(self, wanted: Sequence[str], names: Names) -> Decoded:  # noqa: D102 (contract in Decoder)
        columns = {name: i for i, name in enumerate(self._columns())}
        rows, cells = names.local(), names.local()
        cell_names = names

        def load(name: str) -> str:
            return self._cell(name, f"{cells}[{columns[name]}]", cell_names) if name in columns else "None"

        width = len(columns)
        split = names.constant(row_splitter(self._form.delimiter))
        fault = names.constant(row_fault)
        check = [f"{cells} = {rows}[i]", f"if len({cells}) != {width}: raise {fault}({cells}, {width})"]
        return Decoded(check, load, [f"{rows} = {split}(records)"])

    def whole(self, names: Names) -> Decoded:  # noqa: D102 (contract in Decoder)
        columns = self._columns()
        decoded = self.fields(columns, names)
        items = ", ".join(f"{name!a}: {decoded.load(name)}" for name in columns)
        statements = [*decoded.per_record, f"row = {{{items}}}"]
        return Decoded(statements, lambda name: f"row.get({name!a})", decoded.per_batch)

    def _columns(self) -> list[str]:
        if self._form.columns is None:
            hint = "a file source takes them from the header line; for any other, list them under `columns`"
            raise unreadable(self._path, "the columns of the CSV rows are not known", hint)
        return self._form.columns

    def _cell(self, column: str, cell: str, names: Names) -> str:
        kind = self._form.types.get(column, "varchar")
        nulls = set(self._form.nulls)
        if kind == "varchar":
            if nulls == {""}:
                return f"({cell} or None)"
            return f"(None if {cell} in {names.constant(frozenset(nulls))} else {cell})" if nulls else cell
        read = names.constant(cell_reader(kind, column))
        if not nulls:
            return f"{read}({cell})"
        local = names.local()
        null = (
            f"not ({local} := {cell})"
            if nulls == {""}
            else f"({local} := {cell}) in {names.constant(frozenset(nulls))}"
        )
        return f"(None if {null} else {read}({local}))"


class _BadRow(list[str]):
    """Stands for a row that could not be split; as long as no row is."""

    def __init__(self, error: RecordError) -> None:
        super().__init__()
        self.error = error


def row_splitter(delimiter: str) -> Callable[[Sequence[Record]], list[list[str]]]:
    """Return a function that splits every record's row into cells; for a bad row `row_fault` says what is wrong."""

    def split(records: Sequence[Record]) -> list[list[str]]:
        try:
            values = [record.value for record in records]
            bytes_ = b"".join(values)  # type: ignore[arg-type] # a tombstone raises
            lines = [str(value, "utf-8") for value in values]  # type: ignore[arg-type] # likewise
            if b'"' not in bytes_ and b"\n" not in bytes_ and b"\r" not in bytes_:
                return [line.split(delimiter) for line in lines]  # half the time of csv.reader
            rows = [row or [""] for row in csv.reader(lines, delimiter=delimiter, strict=True)]
        except (csv.Error, UnicodeDecodeError, TypeError):
            pass  # one of them is at fault (TypeError: a tombstone)
        else:
            # A quote left open swallows the rows after it. No record can make up for that: none gives two rows.
            if len(rows) == len(records):
                return rows
        return [_split_one(record.value, delimiter) for record in records]

    return split


def _split_one(value: bytes | None, delimiter: str) -> list[str]:
    try:
        (row,) = csv.reader([str(value or b"", "utf-8")], delimiter=delimiter, strict=True)
    except UnicodeDecodeError as exc:
        return _BadRow(RecordError("record.decode", f"the row is not UTF-8 text: {exc.reason} at byte {exc.start}"))
    except csv.Error as exc:
        return _BadRow(RecordError("record.decode", f"the row is not well-formed CSV: {exc}"))
    return row or [""]


def row_fault(cells: list[str], width: int) -> RecordError:
    """Return what is wrong with a row that does not have `width` cells."""
    if isinstance(cells, _BadRow):
        return cells.error
    message = f"the row has {len(cells)} cell{'s' * (len(cells) != 1)}, and there are {width} columns"
    return RecordError("record.decode", message)


class CsvEncoder:
    """Source that encodes rows."""

    def __init__(self, form: CsvFormat, path: str) -> None:
        """`path` is where the user chose the format. Raises ConfigError for a format that no row can have."""
        check(form, path)
        self._form = form
        self._path = path
        self._null = form.nulls[0] if form.nulls else ""

    def fields(self, fields: Mapping[str, str], names: Names, into: str) -> list[str]:  # noqa: D102 (contract in Encoder)
        columns = list(fields) if self._form.columns is None else self._form.columns
        extra = sorted(set(fields) - set(columns))
        if extra:
            found = ", ".join(f"`{name}`" for name in extra)
            hint = f"add it to the sink's columns ({', '.join(columns)}) or leave it out with a select"
            raise unwritable(self._path, f"the sink's CSV has no column {found}", hint)
        plain, to_text = names.constant(PLAIN), names.constant(cell_text(self._null))
        cells = ", ".join(
            f"({source} if ({source}).__class__ in {plain} else {to_text}({source}))"
            for source in (fields.get(name, "None") for name in columns)
        )
        return [f"{into} = {names.constant(_row_writer(self._form.delimiter))}(({cells},))[:-2]"]

    def whole(self, typed: Sequence[str] | None, names: Names, into: str) -> list[str]:  # noqa: D102 (contract in Encoder)
        if self._form.columns is None:
            hint = "list them under `columns`, or end the transforms with a select that names every field"
            raise unwritable(self._path, "the columns of the CSV to write are not known", hint)
        return [f"{into} = {names.constant(_record_writer(self._form.columns, self._form.delimiter, self._null))}(row)"]


class _Echo:
    """A file for csv.writer whose `write` gives the text back as bytes, which makes `writerow` give them back too."""

    write = str.encode


def _row_writer(delimiter: str) -> Callable[[Sequence[Any]], bytes]:
    """Return a function that writes a row with an end of line: only then is a cell quoted that holds one."""
    write: Callable[[Sequence[Any]], Any] = csv.writer(_Echo, delimiter=delimiter, lineterminator="\r\n").writerow
    return write


def _record_writer(columns: Sequence[str], delimiter: str, null: str) -> Callable[[dict[str, Any]], bytes]:
    write, to_text, known = _row_writer(delimiter), cell_text(null), frozenset(columns)

    def record(row: dict[str, Any]) -> bytes:
        if not row.keys() <= known:
            extra = ", ".join(f"`{name}`" for name in sorted(row.keys() - known))
            raise RecordError("record.unknown_column", f"the CSV has no column {extra}", hint=_UNKNOWN_HINT)
        return write([to_text(row.get(name)) for name in columns])[:-2]

    return record


_UNKNOWN_HINT: Final = "leave the field out with a select, or add it to the sink's columns and start a new file"
