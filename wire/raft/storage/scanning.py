"""Reading a segment, and telling what a crash left from what was damaged. The reasoning stands in `wal`."""

from __future__ import annotations

import struct
from typing import Final, NoReturn

from msgspec import MsgspecError, Struct

from wire.raft.storage.errors import StorageError
from wire.raft.storage.records import (
    FRAME,
    MAGIC,
    MARK_SIZE,
    MARK_TAG,
    PAIR,
    PREAMBLE,
    VERSION,
    Change,
    Head,
    Kind,
    checksum,
    decode_change,
    decode_head,
    decode_mark,
)
from wire.raft.types import Entry

DAMAGED_HINT: Final = (
    "check the disk, then remove this member from the cluster and let it join again with an empty data folder"
)
_SECTOR: Final = 512
_CHECKSUM_SIZE: Final = 8


class Scan(Struct):
    """What a segment holds up to `end`, the first byte that is not as it was written.

    Up to `proven` it is known to have been on disk, with the first `proven_changes` of the changes. `batch_end` is
    where the last write that is readable ended, or was to end.
    """

    changes: list[Change]
    end: int
    proven: int
    proven_changes: int
    batch_end: int


def damaged(path: str, offset: int, what: str) -> NoReturn:
    """Refuse a file."""
    raise StorageError("raft.storage.damaged", f"{path} is damaged at offset {offset}: {what}", hint=DAMAGED_HINT)


def read_head(data: bytes, path: str, owner: bytes, sequence: int) -> tuple[Head, int]:
    """Return what a segment begins with, and the offset behind it.

    Raises StorageError if it is damaged, another version's or another owner's, or not the segment its name says.
    """
    if len(data) < PREAMBLE.size + FRAME.size:
        damaged(path, len(data), "it ends within its head")
    magic, version = PREAMBLE.unpack_from(data)
    if magic != MAGIC:
        damaged(path, 0, "it does not begin as a segment of a log does")
    if version != VERSION:
        message = f"{path} has format {version}; this version of Wire reads and writes format {VERSION}"
        raise StorageError("raft.storage.version", message, hint="run the version of Wire that wrote it")
    found, length, kind = FRAME.unpack_from(data, PREAMBLE.size)
    end = PREAMBLE.size + FRAME.size + length
    if kind != Kind.HEAD or checksum(data[PREAMBLE.size + _CHECKSUM_SIZE : end], PREAMBLE.size) != found:
        damaged(path, PREAMBLE.size, "its head does not match its checksum")
    head = decode_head(data[PREAMBLE.size + FRAME.size : end])
    if head.owner != owner:
        message = f"{path} was written by {_readable(head.owner)}, not by {_readable(owner)}"
        raise StorageError("raft.storage.foreign", message, hint="give each member a data folder of its own")
    if head.sequence != sequence:
        damaged(path, PREAMBLE.size, f"it holds the segment {head.sequence}, not the one its name says")
    return head, end


def scan(data: bytes, path: str, key: int, start: int) -> Scan:
    """Read changes from `start`, where a mark is to be, as far as everything is as it was written.

    Raises StorageError if a frame that is whole holds what no version of this format has.
    """
    view, size = memoryview(data), len(data)
    changes: list[Change] = []
    offset = batch_end = start
    proven, proven_changes, marks = start + 1, 0, 0
    header, pair, tag, entry_kind = FRAME.unpack_from, PAIR.unpack_from, FRAME.size, int(Kind.ENTRY)
    while offset + tag <= size:
        found, length, kind = header(data, offset)
        end = offset + tag + length
        if end > size or checksum(view[offset + _CHECKSUM_SIZE : end], key + offset) != found:
            break
        if kind == entry_kind:  # written out: there may be a million
            index, term = pair(data, offset + tag)
            changes.append(Entry(index, term, data[offset + tag + 16 : end]))
        elif kind == Kind.MARK:
            mark = decode_mark(data[offset + tag : end])
            batch_end = end + mark.following
            proven = mark.synced if marks else batch_end  # a segment gets its name when its first write is on disk
            proven_changes, marks = len(changes), marks + 1
        else:
            changes.append(_change(kind, data[offset + tag : end], path, offset))
        offset = end
    if marks == 1:
        proven_changes = len(changes)
    return Scan(changes, offset, proven, proven_changes, batch_end)


def check_tail(data: bytes, path: str, key: int, found: Scan) -> None:
    """Return if a crash may have left what is behind the end of the scan. Raises StorageError if it can't have."""
    if found.end < found.proven:
        damaged(path, found.end, "what had been written there is gone or changed")
    if found.end < _synced_by_later_marks(data, key, found.end):
        damaged(path, found.end, "a record that had been synced does not match its checksum")
    if found.end < len(data) and not _looks_torn(data, found.end, found.batch_end):
        damaged(path, found.end, "a record does not match its checksum, and no crash leaves it like this")


def _change(kind: int, payload: bytes, path: str, offset: int) -> Change:
    try:
        change = decode_change(kind, payload)
    except (MsgspecError, struct.error):
        change = None
    if change is None:
        damaged(path, offset, f"a record of kind {kind} can't be read")
    return change


def _synced_by_later_marks(data: bytes, key: int, offset: int) -> int:
    synced = 0
    tag = data.find(MARK_TAG, offset + _CHECKSUM_SIZE)
    while tag >= 0:
        start, end = tag - _CHECKSUM_SIZE, tag - _CHECKSUM_SIZE + MARK_SIZE
        if end <= len(data):
            found, _, _ = FRAME.unpack_from(data, start)
            if checksum(data[tag:end], key + start) == found:
                synced = max(synced, decode_mark(data[start + FRAME.size : end]).synced)
        tag = data.find(MARK_TAG, tag + 1)
    return synced


def _looks_torn(data: bytes, start: int, batch_end: int) -> bool:
    """Whether the frame at `start` is cut off by the end of the file, or has a sector in it that was never written."""
    size = len(data)
    if start == batch_end:
        end = start + MARK_SIZE  # whatever its header says: nothing else can be there
    elif start + FRAME.size > size:
        return True
    else:
        _, length, _ = FRAME.unpack_from(data, start)
        end = start + FRAME.size + length
        if end > batch_end:
            end = start + FRAME.size  # zeros make a length shorter, not longer: only the header itself can tell
    if end > size:
        return True
    for sector in range(start - start % _SECTOR, end, _SECTOR):
        piece = data[max(sector, start) : sector + _SECTOR]
        if piece.count(0) == len(piece):
            return True
    return False


def _readable(owner: bytes) -> str:
    return repr(owner.decode(errors="backslashreplace"))
