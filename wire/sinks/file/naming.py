"""How files are called while they are written and when they are finished."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable

from wire.clients.compression import without_suffix
from wire.core.errors import RecordError
from wire.core.ports import TaskId


def finished_name(path: str, slot: int, number: int | None) -> str:
    """Return the final name of a file: of the only one for `path`, or of the one with this number."""
    bare, compressed = without_suffix(path)
    stem, suffix = os.path.splitext(bare)
    slot_part = f"-s{slot}" if slot else ""
    number_part = f"-{number:06d}" if number is not None else ""
    return f"{stem}{slot_part}{number_part}{suffix}{compressed}"


def inside(path: object) -> str:
    """Return a computed path in its plainest form. Raises RecordError unless it stays inside its folder."""
    if path is None:
        hint = "filter such records out, or COALESCE the path"
        raise RecordError("sink.file.path_refused", "the path is NULL", hint=hint)
    text = str(path)
    plain = os.path.normpath(text) if text else ""
    # I10: what a record says never opens a path outside the folder the user named
    if plain in ("", ".") or plain.startswith("/") or ".." in text.split("/") or "\0" in text or text.endswith("/"):
        raise RecordError(
            "sink.file.path_refused",
            f"{text!r} is not a path inside the sink's `directory`",
            hint="compute a relative path without `..`",
        )
    return plain


class Marks:
    """Tells the files of one writer by their names: of its parts, and of the file that says which epoch is the last.

    `identity` stands for the pipeline, its task and this sink; an epoch's parts carry its number, so that a writer of
    an older epoch can't touch them (I4).
    """

    def __init__(self, task: TaskId, sink: str, epoch: int) -> None:
        """Name the files of epoch `epoch` of the sink that `sink` describes."""
        key = f"{task.pipeline}\0{task.slot}\0{sink}"
        self.identity = hashlib.blake2b(key.encode(), digest_size=4).hexdigest()
        self.epoch = epoch
        self._any = re.compile(rf".*\.{self.identity}-(\d+)(\.part|\.copy|\.epoch)").fullmatch

    def part(self, final: str) -> str:
        """Return the name under which a file is written."""
        return part_name(final, self.identity, self.epoch)

    def copy(self, final: str) -> str:
        """Return the name under which recovery builds a committed prefix."""
        return f"{final}.{self.identity}-{self.epoch}.copy"

    def epoch_file(self, folder: str) -> str:
        """Return the name of the file that is there as long as no newer epoch has begun."""
        return os.path.join(folder, f".wire.{self.identity}-{self.epoch}.epoch")

    def left_behind(self, names: Iterable[str]) -> list[str]:
        """Return those names that older epochs of the same writer have given, before this one gives any."""
        found = ((name, self._any(name)) for name in names)
        return [name for name, match in found if match and self._is_left_behind(int(match[1]), match[2])]

    def _is_left_behind(self, epoch: int, kind: str) -> bool:
        # a part of this epoch's number that was there before its first one comes from before a reset
        return epoch < self.epoch or (epoch == self.epoch and kind != ".epoch")


def part_name(final: str, identity: str, epoch: int) -> str:
    """Return the name that an epoch gives to a file that is not finished."""
    return f"{final}.{identity}-{epoch}.part"
