"""A snapshot that arrives from another member."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from wire.raft.storage.errors import StorageError
from wire.raft.storage.files import Files
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.storage.snapshot_files import SnapshotFile, UnfinishedFile, explained, whole_prefix

PARTIAL: Final = ".part"
_HINT: Final = "nothing of it was installed; it is asked for anew"


def partial_name(info: SnapshotInfo) -> str:
    """Return under which name a snapshot arrives: it says of which it is, so that no other is ever continued."""
    return f"snapshot-{info.index:020}-{info.term:020}-{info.checksum:016x}-{info.size}{PARTIAL}"


def resume(files: Files, info: SnapshotInfo, owner: bytes) -> UnfinishedFile:
    """Return the file in which a snapshot arrives, with what is whole of it. Raises StorageError."""
    name = partial_name(info)
    with explained(files.path(name), "open"):
        try:
            file = files.open(name)
        except FileNotFoundError:
            file = files.create(name)
        try:
            if (whole := whole_prefix(file, info, owner)) < file.size:
                file.truncate(whole)
        except OSError:
            file.close()
            with contextlib.suppress(OSError):
                files.remove(name)  # what can't be read would be in the way for ever
            raise
    return UnfinishedFile(files, name, file)


class Receiver:
    """Takes a snapshot in pieces, in order, and lets it become one only when every byte is right.

    Errors of the disk are StorageErrors; then it is dropped, and another may begin. At most SYNC_BYTES and a chunk
    arrive in vain when the member crashes.
    """

    def __init__(
        self,
        files: Files,
        file: UnfinishedFile,
        info: SnapshotInfo,
        owner: bytes,
        install: Callable[[UnfinishedFile, SnapshotInfo], None],
    ) -> None:
        self._files = files
        self._file = file
        self._info = info
        self._owner = owner
        self._install = install

    @property
    def offset(self) -> int:
        """From where on bytes are missing."""
        return self._file.size

    def accept(self, offset: int, data: bytes) -> bool:
        """Take a piece that begins at `offset`; another, or one that reaches beyond the end, changes nothing.

        Return whether it was taken. Raises StorageError, with code `raft.snapshot.gone` when this was given up.
        """
        if offset != self.offset or offset + len(data) > self._info.size:  # I8: no more is taken than was announced
            return False
        self._file.append(data)
        return True

    def commit(self) -> SnapshotInfo:
        """Check the whole and make it durable and the newest.

        Raises StorageError, with code `raft.snapshot.damaged` if it is not, byte by byte, what `info` says; one of
        which a part is missing is damaged. Whatever the error, nothing is installed and what has arrived is dropped.
        """
        self._file.append(b"")  # says so if it was given up
        try:
            self._verify()
        except StorageError as exc:
            self._file.drop()
            code = "raft.snapshot.damaged" if exc.code == "raft.storage.damaged" else exc.code
            raise StorageError(code, exc.message, hint=_HINT) from exc
        self._install(self._file, self._info)
        return self._info

    def let_go(self) -> None:
        """Stop for now; what has arrived stays on disk."""
        self._file.let_go()

    def _verify(self) -> None:
        with explained(self._file.path, "read"):
            arrived = SnapshotFile(self._files, self._file.name, self._owner)
        try:
            if arrived.info != self._info:
                message = f"{self._file.path} is another snapshot than the one announced"
                raise StorageError("raft.storage.damaged", message)
            arrived.verify()
        finally:
            arrived.close()
