"""The write-ahead log: a member's entries and its vote in append-only segments of checksummed records.

What counts is decided by three rules.

1. *A segment gets its name when its first write is on disk*, and is begun only when everything that counts of the one
   before it is on disk. Its head says how much of the one before counts, and what state that came to. So of all
   segments but the newest every byte that counts had been synced: whatever is wrong there is damage. A write never
   spans two segments. The file that is without its name yet when a crash comes is removed.
2. *Every write begins with a mark*: how far the segment was on disk at that moment (and how long the write is). Another
   mark follows each sync, not synced itself: it tells a process that was killed, and mostly one whose power was cut,
   that the last write had been synced. Whatever is wrong before the highest such offset is damage (I5).
3. Behind that offset lies only the last write, of which a crash may have left any part. What is wrong there is *torn*
   if it looks so: the record is cut off by the end of the file, or a sector of 512 bytes in it is all zeros from where
   the record begins, or the sector (which is taken to be written as a whole or not at all). A record that is there as a
   whole and does not match its checksum is no crash's work: damage. Damage is refused, with file and offset.

Changes behind the proven offset count, but nothing says that they are on disk: the process may have been killed before
the sync, or the sync failed and what was read is only the kernel's copy. Opening therefore writes them again, into a
new segment, and syncs them, before anybody can build on them; the same new segment puts an end to what is torn.

What can't be told apart. Damage in the last write, when no mark followed it to the disk, that looks torn: the damaged
record has a whole sector of zeros in it, or the write was cut short as well and the record's length, itself damaged,
points behind the cut. The write then ends there, as if it had never been synced. A newest segment that somebody
removed, or cut where a write ends, when no mark says that there was more (behind a compressed segment it is missed). A
folder whose files are all gone: it looks like a new member's, which is why a member is a name with an incarnation, and
why whoever keeps that name begins the log before (`folder`), and refuses to go on without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wire.raft.storage.errors import StorageError
from wire.raft.storage.files import Files
from wire.raft.storage.held import HeldLog
from wire.raft.storage.opening import Recovery, open_log
from wire.raft.storage.records import Base, Change, Reset
from wire.raft.storage.sealed import Compression, zstandard

SEGMENT_BYTES: Final = 64 << 20


class WriteAheadLog(HeldLog):
    """A LogStore over a folder of its own.

    Changes only go to memory; `sync` and `tidy` do all the writing, and may run in a thread. Reads and changes may go
    on while `sync` runs, and what is changed then is for the next `sync`; `sync`, `tidy` and `close` must not overlap.

    `sync` raises StorageError. With code `raft.storage.full` nothing was lost, changes and reads go on, and `sync` may
    be tried again; until it succeeds nothing may be acknowledged. With any other code all changes and every further
    `sync` are refused with the same error: only opening the log anew can tell what is on disk. Reads then still give
    what is in memory.
    """

    def __init__(
        self, files: Files, owner: bytes, *, segment_bytes: int = SEGMENT_BYTES, compress: bool = False
    ) -> None:
        """Open the log, or begin one in an empty folder.

        `owner` names cluster and member: a log of another one is refused. A segment that has reached `segment_bytes` is
        followed by a new one. `compress` has `tidy` compress those that are not written to any more.

        Raises StorageError if the log is damaged, another's, or of another version; if the disk fails; and if there is
        no room to write the last changes again (see above). Raises UnavailableError if zstandard is needed and missing.
        """
        if compress:
            zstandard()
        opened = open_log(files, owner)
        super().__init__(opened.memory, opened.vote, opened.repeat)
        self.recovered: Recovery | None = opened.recovered
        """What had to be disregarded at the end, None if nothing was."""
        self._files = files
        self._segment_bytes = segment_bytes
        self._compress = compress
        self._compression: Compression | None = None
        self._segments = opened.segments
        try:
            self.sync()
        except BaseException:
            self.close()
            raise

    def sync(self) -> None:
        """Return when all changes are on disk.

        One fdatasync; two syncs more when a segment is begun, one more when the oldest one is dropped. Raises
        StorageError as the class says.
        """
        self._check()
        changes = self._pending[:]  # others may be made from here on
        try:
            self._segments.drop_oldest()  # what an earlier sync made superfluous; at most one, and it may make room
            if changes:
                self._segments.write(changes, self._limit(changes))
                del self._pending[: len(changes)]
        except StorageError as exc:
            self._note(exc)
            raise

    def tidy(self) -> bool:
        """Do some milliseconds of work that can wait; return whether there is more.

        Drops a segment that is not needed any more, or compresses a piece of one. Raises StorageError as `sync` does.
        """
        self._check()
        try:
            return self._segments.drop_oldest() or (self._compress and self._compress_some())
        except StorageError as exc:
            self._note(exc)
            raise

    @property
    def disk_bytes(self) -> int:
        """Bytes on disk that count; `size` counts the commands in it only."""
        return sum(segment.size for segment in tuple(self._segments.all))

    def close(self) -> None:  # noqa: D102 (contract in LogStore)
        self._abandon_compression()
        self._segments.close()

    def _limit(self, changes: Sequence[Change]) -> int:
        """Return at how many bytes a segment is full: fewer where a base lets it be dropped soon."""
        if any(isinstance(change, Base | Reset) for change in changes):
            return self._segment_bytes // 8
        return self._segment_bytes

    def _compress_some(self) -> bool:
        if self._compression is not None and self._compression.segment not in self._segments.all:
            self._abandon_compression()  # it was dropped meanwhile
        if self._compression is None:
            segment = self._segments.first_plain()
            if segment is None:
                return False
            self._compression = Compression(self._files, segment)
        if self._compression.step():
            self._compression = None
        return self._compression is not None or self._segments.first_plain() is not None

    def _abandon_compression(self) -> None:
        if self._compression is not None:
            self._compression.abandon()
            self._compression = None

    def _note(self, exc: StorageError) -> None:
        self._abandon_compression()
        if exc.code != "raft.storage.full":
            self._failure = exc
