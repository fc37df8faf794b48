"""From the bytes of a fetch response to records: the source's only work per record.

Goes straight from aiokafka's compiled batch reader to `Record`, without the `ConsumerRecord` in between, which takes
four times as long.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Any, Final

from aiokafka.errors import CorruptRecordException
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.record.memory_records import MemoryRecords

from wire.core.records import Headers, Record

_NO_HEADERS: Final[Headers] = ()
_HEADER: Final = struct.Struct(">qi4xb6xi")  # base offset, length, (leader epoch), magic, (crc, attributes), last delta
_LENGTH: Final = struct.Struct(">8xi")
_LOG_OVERHEAD: Final = 12  # base offset and length, which the length does not count


class Chunk:
    """What one fetch brought for one partition. Decoded one record batch at a time.

    `aborted` lists the aborted transactions that overlap it, as (producer id, first offset); with None nothing is left
    out (`read_uncommitted`). `position` is where to go on behind what was decoded so far: it moves over control
    records, aborted records and places that compaction emptied. `taken` is the size of the record batch decoded last.
    """

    __slots__ = ("_aborted", "_aborting", "_at", "_memory", "_raw", "compressed", "position", "size", "taken")

    def __init__(self, raw: bytes, position: int, aborted: list[tuple[int, int]] | None) -> None:
        """Decode `raw` from offset `position` on; a batch may begin before it."""
        self._memory = MemoryRecords(raw)
        self._aborted = None if aborted is None else deque(sorted(aborted, key=lambda transaction: transaction[1]))
        self._aborting: set[int] = set()
        self.position = position
        self.size = len(raw)
        self.taken = 0
        self._raw = raw
        self._at = 0
        self.compressed = False

    def more(self) -> bool:
        """Return whether there is another whole record batch."""
        return bool(self._memory.has_next())

    def decode(self) -> list[Record]:
        """Return the records of the next record batch that count, in order. Raises CorruptRecordException."""
        batch = self._memory.next_batch()
        self.taken = _LOG_OVERHEAD + _LENGTH.unpack_from(self._raw, self._at)[0]
        self._at += self.taken
        if not batch.validate_crc():
            raise CorruptRecordException(f"checksum mismatch behind offset {self.position}")
        self.compressed = self.compressed or batch.compression_type != 0
        skip = self._is_control(batch) or self._is_aborted(batch)
        records = [] if skip else _records(batch)
        if records and records[0].offset < self.position:
            records = [record for record in records if record.offset >= self.position]
        # a v2 batch knows its last offset even when compaction took that record
        self.position = max(self.position, batch.next_offset)
        return records

    def _is_control(self, batch: Any) -> bool:
        if not batch.is_control_batch:
            return False
        if self._aborted is not None:
            self._begin_aborted(batch.base_offset)
            marker = next(iter(batch), None)  # compaction may have emptied it
            if marker is not None and ControlRecord.parse(marker.key) == ABORT_MARKER:
                self._aborting.discard(batch.producer_id)
        return True

    def _is_aborted(self, batch: Any) -> bool:
        if self._aborted is None or not batch.is_transactional:
            return False
        self._begin_aborted(batch.base_offset)
        return batch.producer_id in self._aborting

    def _begin_aborted(self, offset: int) -> None:
        while self._aborted and self._aborted[0][1] <= offset:
            self._aborting.add(self._aborted.popleft()[0])


def end_of(raw: bytes) -> int | None:
    """Return the offset behind the last whole record batch in `raw`, None if there is none; decodes nothing."""
    at, end = 0, None
    while at + _HEADER.size <= len(raw):
        base, length, magic, last_delta = _HEADER.unpack_from(raw, at)
        at += _LOG_OVERHEAD + length
        if at <= len(raw):
            # before version 2 the number in front is already that of the last record
            end = base + (last_delta if magic >= 2 else 0) + 1
    return end


def _records(batch: Any) -> list[Record]:
    return [
        Record(r.value, r.key, r.timestamp, tuple(r.headers) if r.headers else _NO_HEADERS, r.offset) for r in batch
    ]
