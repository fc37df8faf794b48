"""From batches to lines: which records go into which file, and which can't go into any."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import repeat
from typing import Any, Final

from msgspec import Struct, field

from wire.core.errors import RecordError
from wire.core.formats import CsvFormat, Format, JsonFormat
from wire.core.ports import Failure
from wire.core.records import Batch
from wire.sinks.file.naming import inside

_PATH: Final = "path"
_LINE_FEED: Final = 10


class Group(Struct):
    """The lines for one path, and, where paths are computed, the batch and record each of them comes from."""

    lines: list[bytes] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    def refused(self, error: RecordError) -> list[Failure]:
        """Return a failure for each of its records."""
        return [Failure(batch, record, error) for batch, record in self.places]


class Lines:
    """Sorts records by path, `literal` or computed, and checks that each is one line."""

    def __init__(self, literal: str | None, file_format: Format) -> None:
        """Take records that are encoded as `file_format` says."""
        self._literal = literal
        self._quoted = isinstance(file_format, CsvFormat)  # a cell may hold a line break
        self._json = isinstance(file_format, JsonFormat)

    def sort(self, batches: Sequence[Batch]) -> tuple[dict[str, Group], list[Failure]]:
        """Return the lines for each path, in the records' order, and a failure for each record that has none."""
        groups: dict[str, Group] = {}
        failures: list[Failure] = []
        for number, batch in enumerate(batches):
            values = [record.value for record in batch.records]
            if not values:
                continue
            if self._literal is not None and self._plain(values):
                groups.setdefault(self._literal, Group()).lines.extend(values)  # type: ignore[arg-type] # `_plain`: no tombstones
            else:
                self._sort_slowly(number, values, batch.columns or {}, groups, failures)
        return groups, failures

    def _plain(self, values: list[bytes | None]) -> bool:
        if None in values:
            return False
        return self._quoted or not any(map(operator.contains, values, repeat(_LINE_FEED)))  # type: ignore[arg-type] # see above

    def _sort_slowly(
        self,
        number: int,
        values: list[bytes | None],
        columns: dict[str, list[Any]],
        groups: dict[str, Group],
        failures: list[Failure],
    ) -> None:
        paths = repeat(self._literal) if self._literal is not None else columns[_PATH]
        for index, (value, path) in enumerate(zip(values, paths, strict=False)):
            try:
                line = self._line(value)
                group = groups.setdefault(inside(path) if self._literal is None else self._literal, Group())
            except RecordError as error:
                failures.append(Failure(number, index, error))
            else:
                group.lines.append(line)
                group.places.append((number, index))

    def _line(self, value: bytes | None) -> bytes:
        if value is None:
            raise RecordError(
                "sink.file.tombstone", hint="set `on_error.policy` to `skip` or `dead_letter` to leave deletions out"
            )
        if self._quoted or b"\n" not in value:
            return value
        if self._json:
            return value.replace(b"\n", b" ")  # in JSON a line break can only stand where a space can
        raise RecordError("sink.file.newline", hint="write JSON, or replace the line breaks with a transform")
