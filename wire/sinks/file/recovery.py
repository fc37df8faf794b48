"""Brings files to exactly what the checkpoints cover. Every step can be interrupted at any instant and done again."""

from __future__ import annotations

import contextlib
import os

from wire.clients.compression import Codec, DamagedError, TruncatedError, decompressed
from wire.core.errors import FatalError
from wire.sinks.file import disk
from wire.sinks.file.naming import Marks, temporary_name
from wire.sinks.file.token import Entry, Token


def claim(folder: str, marks: Marks) -> None:
    """Begin an epoch: from here on the writers of older ones refuse to publish anything. Raises OSError."""
    for changed in disk.make_folder(folder):
        disk.sync_folder(changed)
    with contextlib.suppress(FileExistsError):
        os.close(disk.create(marks.epoch_file(folder)))
    for name in marks.older_epoch_files(os.listdir(folder or ".")):
        disk.remove(os.path.join(folder, name))


def is_here(token: Token) -> bool:
    """Say whether any of the files is here that a commit covers, finished or not; or there is none."""
    return not token.entries or any(
        os.path.lexists(name)
        for entry in token.entries
        for name in (entry.final, temporary_name(entry.final, token.identity, token.epoch, "part"))
    )


def recover(token: Token, marks: Marks) -> None:
    """Publish the committed part of every file that was not finished. Raises OSError or FatalError."""
    for entry in token.entries:
        part = temporary_name(entry.final, token.identity, token.epoch, "part")
        with contextlib.suppress(FileNotFoundError):  # published already, by whoever got so far before
            _publish_prefix(entry, part, marks.temporary(entry.final, "copy"))
    for folder in {os.path.dirname(entry.final) for entry in token.entries}:
        if os.path.isdir(folder or "."):
            disk.sync_folder(folder)
            remove_left_behind(folder, marks)


def _publish_prefix(entry: Entry, part: str, copy: str) -> None:
    """Replace a part by a copy of what is committed of it, then give it its final name.

    The copy is a file that no older writer has open (I4). Up to the last step the part holds what is committed; that
    it is not there any more means that it has been published.
    """
    if os.stat(part).st_size < entry.size:
        raise FatalError(
            "sink.file.segment_damaged",
            f"{part} is shorter than what was committed to it",
            hint=disk.DAMAGED_HINT,
        )
    disk.copy_prefix(part, copy, entry.size)
    os.rename(copy, part)
    disk.publish(part, entry.final)


def remove_left_behind(folder: str, marks: Marks) -> None:
    """Remove what the same writer has left in a folder and nothing needs. Call it after `recover`."""
    for name in marks.left_behind(os.listdir(folder or ".")):
        disk.remove(os.path.join(folder, name))


def check_free(final: str) -> None:
    """Raise FatalError when there is a file by this name: it isn't one of this pipeline's."""
    if os.path.lexists(final):
        raise FatalError(
            "sink.file.exists",
            f"{final} is there already, and this pipeline's checkpoints know nothing of it",
            hint="move it away or choose another `path`; `wire run` adds to what a run with the same --state-dir made",
        )


def check_header(final: str, codec: Codec, header: bytes) -> None:
    """Raise FatalError unless a file that is to be continued begins with `header`."""
    if not header:
        return
    with open(final, "rb") as raw:
        try:
            found = decompressed(raw, codec).read(len(header))
        except (DamagedError, TruncatedError):
            found = b""
    if found != header:
        raise FatalError(
            "sink.file.header_changed",
            f"{final} begins with other columns than the sink has now",
            hint="move it away, choose another `path`, or go back to the columns it has",
        )
