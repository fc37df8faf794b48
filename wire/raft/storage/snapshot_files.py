"""Snapshot files: whole ones, to read, and unfinished ones, to write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from xxhash import xxh3_64

from wire.raft.storage.errors import StorageError, refused
from wire.raft.storage.files import File, Files
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.storage.snapshot_format import (
    FOOTER_BYTES,
    READ_BYTES,
    DamageError,
    Footer,
    Header,
    VersionError,
    decode_footer,
    read_chunks,
    read_header,
)

SYNC_BYTES: Final = 16 << 20
"""How much is written between two syncs: a crash costs a transfer no more, and the log's own syncs never wait long."""

_VERIFY_BYTES: Final = 4 << 20

_DAMAGED_HINT: Final = (
    "the log that led there may be gone: remove this member from the cluster, empty its data folder and let it join "
    "anew, or restore the folder from a copy"
)


@contextlib.contextmanager
def explained(path: str, what: str) -> Iterator[None]:
    """Turn what may go wrong when the file at `path` is read or written into a StorageError that names it."""
    try:
        yield
    except DamageError as exc:
        message = f"{path} is damaged at byte {exc.offset}: {exc}"
        raise StorageError("raft.storage.damaged", message, hint=_DAMAGED_HINT) from exc
    except VersionError as exc:
        hint = "start the version of Wire that wrote it, or a newer one"
        raise StorageError("raft.storage.version", f"{path} can't be read: {exc}", hint=hint) from exc
    except OSError as exc:
        raise refused(path, what, exc) from exc


class SnapshotFile:
    """A whole snapshot, open for reading for as long as it is wanted, even when the file is removed meanwhile."""

    def __init__(self, files: Files, name: str, owner: bytes) -> None:
        """Open it and read both its ends, not what is between them.

        Raises FileNotFoundError; StorageError if an end is damaged, or the snapshot is another cluster's.
        """
        self._path = files.path(name)
        self._file = files.open(name)
        try:
            with explained(self._path, "read"):
                header, self._footer = self._read_ends()
            if header.owner != owner:  # I10: what another cluster decided is never taken for our own state
                message = f"{self._path} belongs to another cluster: to {header.owner!r}, not to {owner!r}"
                raise StorageError("raft.storage.foreign", message, hint="give each member a data folder of its own")
        except BaseException:
            self._file.close()
            raise
        self.info = SnapshotInfo(
            header.index, header.term, header.configuration, self._footer.size, self._footer.checksum
        )
        self._unverified = self.chunks()

    def _read_ends(self) -> tuple[Header, Footer]:
        header, frame = read_header(_Forward(self._file).take)
        end = self._file.size - FOOTER_BYTES
        if end < len(frame):
            raise DamageError(self._file.size, "the file ends before its end")
        return header, decode_footer(self._file.read(end, FOOTER_BYTES), end)

    def chunks(self) -> Iterator[bytes]:
        """Yield the chunks that were written, each verified, the last one only when the file as a whole is right too.

        Raises StorageError at the first damage.
        """
        end = self.info.size - FOOTER_BYTES
        with explained(self._path, "read"):
            take = _Forward(self._file).take
            _, frame = read_header(take)
            running, count, offset = xxh3_64(frame), 0, len(frame)
            if offset == end:
                self._check_whole(running.intdigest(), count)
            for head, chunk in read_chunks(take, offset, end):
                running.update(head)
                running.update(chunk)
                count += 1
                offset += len(head) + len(chunk)
                if offset == end:
                    self._check_whole(running.intdigest(), count)
                yield chunk

    def _check_whole(self, checksum: int, count: int) -> None:
        end = self.info.size - FOOTER_BYTES
        if count != self._footer.chunks:
            raise DamageError(end, f"the file has {count} chunks and should have {self._footer.chunks}")
        if checksum != self._footer.checksum:
            raise DamageError(end, "the file as a whole does not match its checksum")

    def verify(self) -> None:
        """Read all of it. Raises StorageError if anything is damaged."""
        while not self.verify_some():
            pass

    def verify_some(self) -> bool:
        """Read on for some MiB; return whether all of it was read. Once this has raised StorageError it is damaged."""
        read = 0
        for chunk in self._unverified:
            read += len(chunk)
            if read >= _VERIFY_BYTES:
                return False
        return True

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of the file, less than `size` only at its end. Raises StorageError."""
        with explained(self._path, "read"):
            return self._file.read(offset, size)

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._file.close()


class UnfinishedFile:
    """A snapshot under a temporary name. When the disk refuses anything the file is removed, and only that is lost.

    So a failed sync costs no more than this file: what was not written can't be taken for written later.
    """

    def __init__(self, files: Files, name: str, file: File) -> None:
        self.name = name
        self.path = files.path(name)
        self.size = file.size
        self._files = files
        self._file: File | None = file
        self._synced = file.size

    def append(self, data: bytes) -> None:
        """Add to the end. Raises StorageError."""
        with self._dropped_on_error() as file:
            file.append(data)
            self.size += len(data)
            if self.size - self._synced >= SYNC_BYTES:
                file.sync()
                self._synced = self.size

    def finish(self, name: str) -> None:
        """Give it its final name; that is certain only after a sync of the folder. Raises StorageError."""
        with self._dropped_on_error() as file:
            file.sync()  # I5: nothing has a final name that is not on disk to its last byte
            file.close()
            self._files.rename(self.name, name)
            self._file = None

    def drop(self) -> None:
        """Close and remove it, unless it was finished or let go. Idempotent."""
        if self._file is not None:
            self.let_go()
            with contextlib.suppress(OSError):  # what stays does no harm: it is verified before use, or removed at open
                self._files.remove(self.name)

    def let_go(self) -> None:
        """Close it and leave it where it is. Idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextlib.contextmanager
    def _dropped_on_error(self) -> Iterator[File]:
        if self._file is None:
            raise StorageError("raft.snapshot.gone", f"the unfinished snapshot {self.path} was given up")
        try:
            with explained(self.path, "write"):
                yield self._file
        except StorageError:
            self.drop()
            raise


def whole_prefix(file: File, info: SnapshotInfo, owner: bytes) -> int:
    """Return how much of an unfinished copy of a snapshot is undamaged, up to the end of a chunk. Raises OSError.

    After a crash any part of what was not synced may be missing: each chunk is verified, and nothing else is believed.
    """
    take, whole = _Forward(file).take, 0
    with contextlib.suppress(DamageError, VersionError):
        header, frame = read_header(take)
        if header == Header(info.index, info.term, info.configuration, owner):
            whole = len(frame)
            for head, chunk in read_chunks(take, whole, info.size - FOOTER_BYTES):
                whole += len(head) + len(chunk)
    return whole


class _Forward:
    """Reads a file from its beginning on, in large pieces."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._block = b""
        self._used = 0
        self._next = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end."""
        if self._used + size > len(self._block):
            more = self._file.read(self._next, max(size, READ_BYTES))
            self._next += len(more)
            self._block, self._used = self._block[self._used :] + more, 0
        piece = self._block[self._used : self._used + size]
        self._used += len(piece)
        return piece
