"""The file behind a lookup: a table in memory that follows the file."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from wire.core.clock import Clock
from wire.core.errors import RecordError, UnavailableError, WireError
from wire.core.formats import ColumnType
from wire.pipelines.codecs.cells import cell_reader

log = structlog.get_logger()

CHECK_EVERY_S: Final = 1.0

Row = dict[str, Any]
Values = tuple[Any, ...]
_Version = tuple[int, int, int, int]
_decoder: Final = msgspec.json.Decoder(Row)


class LookupTable:
    """Key → values, from a file. `current` never waits: a changed file is read by a thread beside the pipeline.

    A new version of the file that can't be used leaves the old table in place and is logged, once.
    """

    def __init__(
        self, file: str, types: Mapping[str, ColumnType], column: str, select: Callable[[Row], Values], clock: Clock
    ) -> None:
        """Rows are found by the value of `column`; `select` makes of a row what is looked up."""
        self._file = Path(file)
        self._types = types
        self._column = column
        self._select = select
        self._clock = clock
        self._table: Mapping[Any, Values] | None = None
        self._version: _Version | None = None
        self._complaint = ""
        self._next_check = 0.0
        self._checking: threading.Thread | None = None

    def open(self) -> None:
        """Read the file, unless it has been. Blocking. Raises UnavailableError when it can't be used."""
        if self._table is None:
            self._version = self._stat()
            self._table = self._read()
            self._next_check = self._clock.monotonic() + CHECK_EVERY_S

    def current(self) -> Mapping[Any, Values]:
        """Return the newest table there is, and see about a newer one now and then."""
        now = self._clock.monotonic()
        if now >= self._next_check and (self._checking is None or not self._checking.is_alive()):
            self._next_check = now + CHECK_EVERY_S
            # A daemon: the process may end in the middle of a reading, which changes nothing.
            self._checking = threading.Thread(target=self.refresh, name="wire-lookup", daemon=True)
            self._checking.start()
        return self._table or {}

    def refresh(self) -> None:
        """Read the file again if it is another one than last time. Blocking; a fault of the file is logged, once."""
        try:
            version = self._stat()
            if version != self._version:
                self._version = version  # before reading: what is written meanwhile makes it another version again
                self._table = self._read()
        except WireError as exc:
            if str(exc) != self._complaint:
                self._complaint = str(exc)
                log.warning("lookup_reload_failed", file=str(self._file), code=exc.code, error=exc.message)
        else:
            self._complaint = ""

    def _stat(self) -> _Version:
        try:
            stat = self._file.stat()
        except OSError as exc:
            raise _unreadable(self._file, exc) from exc
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino

    def _read(self) -> dict[Any, Values]:
        table: dict[Any, Values] = {}
        try:
            for number, row in enumerate(self._rows(), 1):
                self._add(table, number, row)
        except OSError as exc:
            raise _unreadable(self._file, exc) from exc
        except (csv.Error, UnicodeDecodeError, msgspec.DecodeError, RecursionError) as exc:
            raise self._invalid(str(exc)) from exc
        return table

    def _add(self, table: dict[Any, Values], number: int, row: Row) -> None:
        if self._column not in row:
            raise self._invalid(f"row {number} has no `{self._column}`")
        key = row[self._column]
        try:
            values = self._select(row)
        except RecordError as exc:
            raise self._invalid(f"row {number}: {exc.message}") from exc
        if isinstance(key, dict | list):
            raise self._invalid(f"row {number}: `{self._column}` is not a single value")
        if key is not None and table.setdefault(key, values) != values:
            raise self._invalid(f"row {number}: there is another row for {key!r}, with other values")

    def _rows(self) -> Iterator[Row]:
        match self._file.suffix:
            case ".csv":
                return self._csv_rows()
            case ".jsonl" | ".ndjson":
                return iter(_decoder.decode_lines(self._file.read_bytes()))
            case _:
                return iter(msgspec.json.decode(self._file.read_bytes(), type=list[Row]))

    def _csv_rows(self) -> Iterator[Row]:
        readers = {column: cell_reader(kind, column) for column, kind in self._types.items()}
        with self._file.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            columns = next(lines, [])
            for number, cells in enumerate(lines, 1):
                if len(cells) != len(columns):
                    raise self._invalid(f"row {number} has {len(cells)} cells, and there are {len(columns)} columns")
                yield _typed(zip(columns, cells, strict=True), readers, number, self._invalid)

    def _invalid(self, message: str) -> UnavailableError:
        hint = "correct the file; CSV needs a header line, JSON is a list of objects or one object per line (.jsonl)"
        return UnavailableError(
            "transform.lookup.invalid", f"the file {self._file} can't be used: {message}", hint=hint
        )


def _typed(
    cells: Iterator[tuple[str, str]],
    readers: Mapping[str, Callable[[str], Any]],
    number: int,
    invalid: Callable[[str], UnavailableError],
) -> Row:
    try:
        return {
            column: None if not cell else readers[column](cell) if column in readers else cell for column, cell in cells
        }
    except RecordError as exc:
        raise invalid(f"row {number}: {exc.message}") from exc


def _unreadable(file: Path, exc: OSError) -> UnavailableError:
    message = f"the file {file} can't be read: {exc.strerror}"
    return UnavailableError("transform.lookup.unreadable", message, hint="check the path and its permissions")
