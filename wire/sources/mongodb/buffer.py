"""Records that were fetched and not yet read."""

from __future__ import annotations

from collections.abc import Sequence

from wire.core.ports import ReadLimit
from wire.core.records import Record


class Buffer:
    """The records of one batch of the server's, handed out in pieces."""

    def __init__(self, records: list[Record] | None = None) -> None:
        """Hold `records`."""
        self._records = records or []
        self._at = 0

    def __len__(self) -> int:
        return len(self._records) - self._at

    @property
    def taken(self) -> int:
        """How many were handed out."""
        return self._at

    def take(self, limit: ReadLimit) -> list[Record]:
        """Return the next records, at least one if there is any; what is handed out is let go of."""
        if self._at == 0 and len(self._records) <= limit.max_records and _size(self._records) <= limit.max_bytes:
            records, self._records, self._at = self._records, [], 0
            self._at = 0
            return records
        records = self._records[self._at : self._at + limit.max_records]
        if _size(records) > limit.max_bytes:
            records = records[: _fitting(records, limit.max_bytes)]
        self._at += len(records)
        return records


def _size(records: Sequence[Record]) -> int:
    return sum([len(record.value or b"") + len(record.key or b"") for record in records])


def _fitting(records: Sequence[Record], max_bytes: int) -> int:
    """Return how many of the first records fit, at least one."""
    total = 0
    for count, record in enumerate(records):
        total += len(record.value or b"") + len(record.key or b"")
        if total > max_bytes:
            return max(count, 1)
    return len(records)
