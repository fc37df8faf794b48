"""How files are called while they are written and when they are finished."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from typing import Final, Literal

from wire.clients.compression import without_suffix
from wire.clients.file_names import is_text
from wire.core.errors import RecordError
from wire.core.ports import TaskId

_LINEAGE: Final = 4


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
    elsewhere = plain in ("", ".") or plain.startswith("/") or ".." in text.split("/") or text.endswith("/")
    if elsewhere or "\0" in text or not is_text(text):
        raise RecordError(
            "sink.file.path_refused",
            f"{text!r} is not a path inside the sink's `directory`",
            hint="compute a relative path without `..`",
        )
    return plain


Kind = Literal["tmp", "part", "copy"]


def temporary_name(final: str, identity: str, epoch: int, kind: Kind) -> str:
    """Return the name of a file that is not finished."""
    return f"{final}.{identity}-{epoch}.{kind}"


def lineage_of(identity: str) -> str:
    """Return the part of a mark that only checkpoints know."""
    return identity[-_LINEAGE:]


def new_lineage() -> str:
    """Return one that nobody has."""
    return secrets.token_hex(_LINEAGE // 2)


class Marks:
    """Names the files of one epoch of a writer, so that those of other writers and epochs can be told from them.

    `NAME.tmp` is a file that no commit covers yet, `NAME.part` one that a commit covers, `NAME.copy` what recovery is
    at work on, where NAME is the final name, a writer's mark and the epoch. The mark begins with a digest of pipeline,
    task and sink, which anyone can tell; then comes the lineage, which only the checkpoints know: those who began
    without them have another one.
    """

    def __init__(self, task: TaskId, sink: str, epoch: int, lineage: str) -> None:
        """Name the files of epoch `epoch` of the sink that `sink` describes."""
        digest = hashlib.blake2b(f"{task.pipeline}\0{task.slot}\0{sink}".encode(), digest_size=4).hexdigest()
        self.identity = digest + lineage
        self.epoch = epoch
        self._digest = digest
        self._lineage = lineage
        self._any = re.compile(rf".*\.{digest}([0-9a-f]{{{_LINEAGE}}})-(\d+)\.(tmp|part|copy)").fullmatch
        self._any_epoch_file = re.compile(rf"\.wire\.{digest}-(\d+)\.epoch").fullmatch

    def temporary(self, final: str, kind: Kind) -> str:
        """Return the name of a file that is not finished."""
        return temporary_name(final, self.identity, self.epoch, kind)

    def epoch_file(self, folder: str) -> str:
        """Return the name of the file that is there as long as no newer epoch has begun."""
        return os.path.join(folder, f".wire.{self._digest}-{self.epoch}.epoch")

    def older_epoch_files(self, names: Iterable[str]) -> list[str]:
        """Return those names that stand for older epochs."""
        found = ((name, self._any_epoch_file(name)) for name in names)
        return [name for name, match in found if match and int(match[1]) < self.epoch]

    def left_behind(self, names: Iterable[str]) -> list[str]:
        """Return the names of files that nothing needs, before this epoch makes any and after those needed are gone.

        A part of another lineage is not among them: somebody's checkpoints may cover it.
        """
        found = ((name, self._any(name)) for name in names)
        return [name for name, match in found if match and self._is_left_behind(match[1], int(match[2]), match[3])]

    def _is_left_behind(self, lineage: str, epoch: int, kind: str) -> bool:
        return epoch <= self.epoch and (kind != "part" or lineage == self._lineage)
