"""What was found, by column and kind: logged and written to a file while the pipeline runs, and at its end."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
import structlog

from wire.core.clock import Clock
from wire.pipelines.transforms.pii.values import Kind

log = structlog.get_logger()

EVERY_S: Final = 60.0
_MOST_COLUMNS: Final = 1000
_MOST_TOLD: Final = 20
_REST: Final = "(others)"


class Found(NamedTuple):
    """A personal value: where it was, what it is, and whether the name of its column said so."""

    column: str
    kind: Kind
    by: str


class Report:
    """Counts of one run. A batch that is transformed again after a failure counts again."""

    _by_path: ClassVar[dict[str, Report]] = {}

    def __init__(self, path: str | None, clock: Clock, *, passes_on: bool) -> None:
        """Count for the file at `path`, if any. That personal values are found is a warning where they pass on."""
        self._path = path
        self._passes_on = passes_on
        self._clock = clock
        self._counts: Counter[Found] = Counter()
        self._columns: set[str] = set()
        self._records = 0
        self._concerned = 0
        self._next_s = clock.monotonic() + EVERY_S
        self._written = -1
        self._writing: threading.Thread | None = None

    @classmethod
    def at(cls, path: str | None, clock: Clock, *, passes_on: bool) -> Report:
        """Return a new report, or the one that another stage of the pipeline keeps for the same file."""
        if path is None:
            return cls(None, clock, passes_on=passes_on)
        return cls._by_path.setdefault(path, cls(path, clock, passes_on=passes_on))

    def add(self, records: int, found: Sequence[Sequence[Found]]) -> None:
        """Count a batch: how many records it had, and what each of those with something in it held."""
        self._records += records
        self._concerned += len(found)
        for each in found:
            for one in each:
                if one.column not in self._columns and len(self._columns) >= _MOST_COLUMNS:  # I8: names are data
                    one = one._replace(column=_REST)  # noqa: PLW2901
                self._columns.add(one.column)
                self._counts[one] += 1
        now = self._clock.monotonic()
        if now >= self._next_s and (self._writing is None or not self._writing.is_alive()):
            self._next_s = now + EVERY_S
            if text := self._changed():
                # A daemon: the process may end in the middle of a writing, which leaves the report before it.
                self._writing = threading.Thread(target=self._write, args=(text,), name="wire-pii", daemon=True)
                self._writing.start()

    async def close(self) -> None:
        """Report what was found since the last time."""
        if self._path is not None:
            self._by_path.pop(self._path, None)
        if text := self._changed():
            await asyncio.to_thread(self._write, text)

    def summary(self) -> dict[str, Any]:
        """Return the counts, the most frequent first, as they are reported."""
        columns = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return {
            "records": self._records,
            "records_with_pii": self._concerned,
            "columns": [{**found._asdict(), "values": count} for found, count in columns],
        }

    def _changed(self) -> bytes | None:
        if self._records == self._written:
            return None
        self._written = self._records
        summary = self.summary()
        tell = log.warning if self._passes_on and self._concerned else log.info
        found = Counter[str]()
        for one in summary["columns"][:_MOST_TOLD]:
            found[f"{one['kind']} in {one['column']}"] += one["values"]
        tell("pii_report", records=self._records, records_with_pii=self._concerned, found=dict(found))
        return msgspec.json.format(msgspec.json.encode(summary), indent=2)

    def _write(self, text: bytes) -> None:
        if self._path is None:
            return
        path = Path(self._path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.{os.getpid()}")
            new.write_bytes(text + b"\n")
            new.replace(path)
        except OSError as exc:
            log.warning("pii_report_failed", path=self._path, error=exc.strerror)
