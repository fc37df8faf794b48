"""What goes wrong with files, in the words of the error tree."""

from __future__ import annotations

import errno
import os
from typing import Final

from wire.core.errors import FatalError, RetryableError, UnavailableError, WireError
from wire.sources.file.names import name_of

CHECK_PATH: Final = "check `path`; a relative one starts where wire runs"
_MORE_FILES: Final = "with `follow` every file stays open: raise the limit (ulimit -n), or follow fewer files at once"


def cant_open(path: str, exc: OSError, *, waiting: bool) -> WireError:
    """Describe why a file can't be opened; where `waiting` for files to come, an absent one is worth another try."""
    if isinstance(exc, FileNotFoundError):
        message = f"there is no file {name_of(path)} (seen from {name_of(os.getcwd())})"
        if waiting:
            return RetryableError("source.file.not_found", message, hint="waiting for it to appear; check `path`")
        return UnavailableError("source.file.not_found", message, hint=CHECK_PATH)
    if isinstance(exc, IsADirectoryError):
        hint = f"name the files in it, such as {name_of(path.rstrip('/'))}/*.jsonl"
        return UnavailableError("source.file.not_a_file", f"{name_of(path)} is a folder", hint=hint)
    if isinstance(exc, PermissionError):
        return UnavailableError(
            "source.file.unreadable",
            f"no permission to read {name_of(path)}",
            hint="let the user that wire runs as read it",
        )
    hint = _MORE_FILES if exc.errno in (errno.EMFILE, errno.ENFILE) else CHECK_PATH
    return UnavailableError("source.file.unreadable", f"can't open {name_of(path)}: {exc.strerror}", hint=hint)


def read_failed(path: str, exc: OSError) -> RetryableError:
    """Describe a file that was opened and can't be read just now."""
    message = f"can't read {name_of(path)}: {exc.strerror}"
    return RetryableError("source.file.read_failed", message, hint="check the disk or the mount")


def cut_short(path: str, *, waiting: bool) -> WireError:
    """Describe a compressed file that ends too early; where `waiting`, its writer may still be at it."""
    if waiting:
        return RetryableError(
            "source.file.truncated", f"{name_of(path)} ends in the middle", hint="waiting for the rest of it"
        )
    return FatalError(
        "source.file.truncated",
        f"{name_of(path)} ends in the middle of its compressed data",
        hint="it is still being written, or a copy was cut off: start again when it is whole",
    )


def corrupt(path: str, exc: Exception) -> FatalError:
    """Describe a compressed file whose content makes no sense."""
    return FatalError(
        "source.file.corrupt",
        f"{name_of(path)} can't be decompressed: {exc}",
        hint="restore the file, or set `compression: none` if it isn't compressed",
    )


def too_large(path: str, offset: int, max_row: int) -> FatalError:
    """Describe a row that is longer than allowed."""
    return FatalError(
        "source.file.record_too_large",
        f"{name_of(path)}: the row that starts at byte {offset} is longer than {max_row} bytes",
        hint="raise `max_record`; in CSV, look for a quote that is never closed",
    )


def not_utf8(path: str) -> FatalError:
    """Describe a file in an encoding that rows can't be cut in."""
    return FatalError(
        "source.file.encoding",
        f"{name_of(path)} is UTF-16 text",
        hint="convert it first: iconv -f UTF-16 -t UTF-8 IN > OUT",
    )
