"""One file that is being written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from wire.core.errors import FencedError
from wire.sinks.file import disk

FENCED_HINT: Final = "let one run go on and end the others; a run of its own needs a `name` and a `path` of its own"
_BLOCK: Final = 1 << 18
"""How much is compressed into one member, at most: enough for a good ratio, little enough to hold for every file."""


class Mark(Struct, frozen=True):
    """How far a segment had come."""

    size: int
    records: int
    waiting: tuple[bytes, ...]


class Segment:
    """A file under its temporary `name`. Bytes up to `confirmed` are covered by a stored checkpoint.

    `published` is how many of them are in the file with the final name, None when it isn't there.
    """

    def __init__(self, final: str, name: str, compress: Callable[[bytes], bytes] | None, *, since_s: float) -> None:
        """Create the file. Raises OSError."""
        self.final = final
        self.name = name
        self.since_s = since_s
        self.size = 0
        self.records = 0
        self.committed: int | None = None
        self.confirmed: int | None = None
        self.published: int | None = None
        self._compress = compress
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._dirty = True
        self._descriptor: int | None = disk.create(name)

    @classmethod
    def continued(cls, final: str, name: str, compress: Callable[[bytes], bytes] | None, *, since_s: float) -> Segment:
        """Go on with a finished file, in a copy of it. Raises OSError or FatalError."""
        size = os.stat(final).st_size
        segment = cls(final, name, compress, since_s=since_s)
        try:
            disk.copy_prefix(final, name, size)
        except BaseException:
            segment.discard()
            raise
        segment.size = size
        segment.committed = segment.confirmed = segment.published = size
        return segment

    @property
    def length(self) -> int:
        """The bytes in the file, with those that wait to be compressed."""
        return self.size + self._waiting_bytes

    @property
    def settled(self) -> bool:
        """Whether everything in it is covered by a stored checkpoint."""
        return not self._waiting and self.confirmed == self.size

    def mark(self) -> Mark:
        """Remember how far it has come, for `undo`."""
        return Mark(self.size, self.records, tuple(self._waiting))

    def undo(self, mark: Mark) -> None:
        """Take back everything after `mark`, so that it can be written again."""
        self._waiting = list(mark.waiting)
        self._waiting_bytes = sum(map(len, mark.waiting))
        self.records = mark.records
        self._cut(mark.size)

    def write(self, data: bytes, records: int) -> None:
        """Add complete lines. Raises OSError with any part of them written: then `undo`."""
        self.records += records
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._compress is None or self._waiting_bytes >= _BLOCK:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the operating system, ending a compressed member. Raises OSError, with nothing changed."""
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        if self._compress is not None:
            data = self._compress(data)
        try:
            self._put(data)
        except OSError:
            self._cut(self.size)
            raise
        self._waiting, self._waiting_bytes = [], 0

    def _put(self, data: bytes) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self.name, os.O_RDWR | os.O_CLOEXEC)
        self._dirty = True
        disk.write_at(self._descriptor, data, self.size)
        self.size += len(data)

    def _cut(self, size: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.truncate(self.name if self._descriptor is None else self._descriptor, size)
        self.size = size

    def sync(self) -> None:
        """Return once everything flushed is on the disk."""
        if self._dirty:
            disk.sync(self.name, self._descriptor)
            self._dirty = False

    def keep_as(self, name: str) -> None:
        """Take a name that says that a commit covers the file. Raises FencedError when someone has removed it."""
        if self.name == name:
            return
        try:
            os.rename(self.name, name)
        except FileNotFoundError as exc:
            reason = f"{self.name} is gone: another run has begun to write there"
            raise FencedError("sink.file.fenced", reason, hint=FENCED_HINT) from exc
        self.name = name

    def let_go(self) -> None:
        """Close the descriptor; the file can still be written. Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def publish(self) -> None:
        """Give the file its final name, with what is confirmed in it and nothing else. Raises OSError or FatalError."""
        if self.confirmed is not None and self.size != self.confirmed:
            self._cut(self.confirmed)
            self._dirty = True
        self.sync()
        self.let_go()  # first: nothing may have a finished file open for writing
        disk.publish(self.name, self.final)
        self.published = self.confirmed

    def discard(self) -> None:
        """Remove the file."""
        self.let_go()
        disk.remove(self.name)
