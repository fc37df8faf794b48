"""What the sink asks of the file system, and what its refusals mean. All of it blocks."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Final

from wire.core.errors import FatalError, RetryableError, UnavailableError, WireError

DAMAGED_HINT: Final = "restore it from a copy, or start over with --reset and a new `path`"
_COPY: Final = 1 << 24
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_REFUSED: Final = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
)  # fmt: skip


@contextlib.contextmanager
def described() -> Iterator[None]:
    """Turn an OSError into what it means for the pipeline."""
    try:
        yield
    except OSError as exc:
        raise describe(exc) from exc


def describe(exc: OSError) -> WireError:
    """Return what an OSError means for the pipeline: worth another try only when the disk is full."""
    what = f"{exc.filename or 'the file'}: {exc.strerror}"
    if exc.errno in _NO_ROOM:
        hint = "free space; writing goes on by itself"
        return RetryableError("sink.file.disk_full", f"no room to write {what}", hint=hint)
    if exc.errno in _REFUSED:
        return UnavailableError(
            "sink.file.unwritable", f"can't write {what}", hint="check `path` and the permissions of its folder"
        )
    return FatalError("sink.file.write_failed", f"can't write {what}", hint="check the disk, then start again")


def create(path: str) -> int:
    """Open a new file for writing. Raises OSError, also when it is there."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data`; what is behind it in the file stays. Raises OSError with any part of it written."""
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count


def sync(path: str, descriptor: int | None) -> None:
    """Return once a file's content is on the disk.

    A failure is final: the kernel may have dropped what it could not write, and the next call would not know.
    """
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if descriptor is None else descriptor
    try:
        os.fsync(opened)
    except OSError as exc:
        raise FatalError(
            "sink.file.sync_failed", f"can't flush {path}: {exc.strerror}", hint="check the disk, then start again"
        ) from exc
    finally:
        if descriptor is None:
            os.close(opened)


def sync_folder(folder: str) -> None:
    """Return once the names in a folder are on the disk, where the file system knows of such a thing."""
    descriptor = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP):
            message = f"can't flush the folder {folder}: {exc.strerror}"
            raise FatalError("sink.file.sync_failed", message, hint="check the disk, then start again") from exc
    finally:
        os.close(descriptor)


def remove(path: str) -> None:
    """Remove a file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def make_folder(folder: str) -> list[str]:
    """Create a folder and those above it. Return the folders in which a name was added, which need `sync_folder`."""
    if not folder or os.path.isdir(folder):
        return []
    above = os.path.dirname(folder)
    changed = make_folder(above)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)
    return [*changed, above]


def copy_prefix(source: str, target: str, size: int) -> None:
    """Make `target` a durable copy of the first `size` bytes of `source`."""
    with open(source, "rb") as readable, open(target, "wb") as writable:
        done = 0
        while done < size:
            count = _copy_some(readable.fileno(), writable.fileno(), size - done, done)
            if not count:
                message = f"{source} is shorter than what was committed to it"
                raise FatalError("sink.file.segment_damaged", message, hint=DAMAGED_HINT)
            done += count
        sync(target, writable.fileno())


def _copy_some(source: int, target: int, size: int, offset: int) -> int:
    try:
        return os.copy_file_range(source, target, min(size, _COPY), offset, offset)  # shares blocks where it can
    except OSError as exc:
        if exc.errno in _NO_ROOM or exc.errno == errno.EIO:
            raise
    data = os.pread(source, min(size, _COPY), offset)
    write_at(target, data, offset)
    return len(data)


def begins_with(path: str, start: str) -> bool:
    """Say whether the content of `path` begins with all of the content of `start`."""
    with open(path, "rb") as whole, open(start, "rb") as first:
        while piece := first.read(_COPY):
            if whole.read(len(piece)) != piece:
                return False
    return True


def publish(part: str, final: str) -> None:
    """Give a finished file its name. Raises FatalError rather than overwrite what is not the beginning of it."""
    if os.path.lexists(final) and not (os.path.isfile(final) and begins_with(part, final)):
        raise FatalError(
            "sink.file.exists",
            f"{final} was put there by something else; the records wait in {part}",
            hint=f"move {final} away and start again",
        )
    os.rename(part, final)
