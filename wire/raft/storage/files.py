"""The few operations on files that log and snapshots stand on, so that tests can put a disk beneath that fails.

What a crash may leave of writes that were not synced: any part of them, in any order. What a crash may leave of names
that were made, renamed or removed since the folder was synced: each as it was or as it is.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Protocol


class File(Protocol):
    """A file open for appending and reading."""

    @property
    def size(self) -> int:
        """Its length in bytes, what was appended included."""
        ...

    def append(self, data: bytes) -> None:
        """Add to the end. Raises OSError; then the length is as it was or anything up to all of `data` was added."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """Return what is there: less than `size` only at the end."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file to this length."""
        ...

    def sync(self) -> None:
        """Return when content and length are on disk. Raises OSError; what is on disk is then unknown."""
        ...

    def close(self) -> None:
        """Let go of it. Idempotent."""
        ...


class Files(Protocol):
    """One folder."""

    def path(self, name: str) -> str:
        """Return how to call a file in a message."""
        ...

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        ...

    def create(self, name: str) -> File:
        """Make an empty file, instead of one of that name. It is there for certain only after `sync`."""
        ...

    def open(self, name: str) -> File:
        """Open one that is there. Raises FileNotFoundError."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Give another name, instead of a file of that name, for certain only after `sync`."""
        ...

    def remove(self, name: str) -> None:
        """Remove one, for certain only after `sync`; none of that name is no error."""
        ...

    def sync(self) -> None:
        """Return when all names are on disk as they are."""
        ...


class DiskFile:
    """A file of the operating system."""

    def __init__(self, descriptor: int) -> None:
        """Use an open descriptor."""
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._open = True

    @property
    def size(self) -> int:  # noqa: D102 (contract in File)
        return self._size

    def append(self, data: bytes) -> None:  # noqa: D102 (contract in File)
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, self._size)
            self._size += written
            view = view[written:]

    def read(self, offset: int, size: int) -> bytes:  # noqa: D102 (contract in File)
        pieces = []
        while size > 0 and (piece := os.pread(self._descriptor, size, offset)):
            pieces.append(piece)
            offset += len(piece)
            size -= len(piece)
        return b"".join(pieces)

    def truncate(self, size: int) -> None:  # noqa: D102 (contract in File)
        os.ftruncate(self._descriptor, size)
        self._size = size

    def sync(self) -> None:  # noqa: D102 (contract in File)
        os.fdatasync(self._descriptor)  # the length is part of what it writes

    def close(self) -> None:  # noqa: D102 (contract in File)
        if self._open:
            self._open = False
            os.close(self._descriptor)


class DiskFiles:
    """A folder of the operating system, made if it is not there."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`. Raises OSError."""
        make_folder(folder)
        self._folder = folder

    def path(self, name: str) -> str:  # noqa: D102 (contract in Files)
        return str(self._folder / name)

    def names(self) -> list[str]:  # noqa: D102 (contract in Files)
        return sorted(entry.name for entry in os.scandir(self._folder) if entry.is_file())

    def create(self, name: str) -> DiskFile:  # noqa: D102 (contract in Files)
        return self._open(name, os.O_CREAT | os.O_TRUNC)

    def open(self, name: str) -> DiskFile:  # noqa: D102 (contract in Files)
        return self._open(name, 0)

    def rename(self, old: str, new: str) -> None:  # noqa: D102 (contract in Files)
        os.replace(self._folder / old, self._folder / new)

    def remove(self, name: str) -> None:  # noqa: D102 (contract in Files)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._folder / name)

    def sync(self) -> None:  # noqa: D102 (contract in Files)
        _sync_names(self._folder)

    def _open(self, name: str, flags: int) -> DiskFile:
        return DiskFile(os.open(self._folder / name, os.O_RDWR | os.O_CLOEXEC | flags, 0o600))


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder that is there for certain when this returns, and those it is in. Raises OSError.

    One that is there already may have been made just before a crash. A folder that holds it and that we may not read
    is none we can do more for.
    """
    if not folder.parent.exists():
        make_folder(folder.parent, mode)
    folder.mkdir(mode=mode, exist_ok=True)
    with contextlib.suppress(PermissionError):
        _sync_names(folder.parent)


def _sync_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
