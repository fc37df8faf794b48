"""The files of a log: which there are, and the one that is written to."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from msgspec import Struct

from wire.raft.storage.errors import StorageError, not_synced, refused
from wire.raft.storage.files import File, Files
from wire.raft.storage.records import (
    Base,
    Change,
    Head,
    Reset,
    State,
    Truncate,
    encode_batch,
    encode_head,
    key,
)
from wire.raft.types import Entry, Vote

NAME: Final = re.compile(r"(\d{16})-(\d{20})\.wal(\.zst)?", re.ASCII)
"""Sequence number, and the index that the log was to go on with."""
UNFINISHED: Final = ".new"
"""What ends the name of a file that does not count yet."""


class Segment(Struct):
    """One file. `size` is how many bytes of it count, `top` the highest index of entries in it that still do."""

    sequence: int
    name: str
    size: int
    top: int = 0

    @property
    def compressed(self) -> bool:
        """Whether it was compressed."""
        return self.name.endswith(".zst")


def sync_names(files: Files) -> None:
    """Return when the names of all files are durable. Raises StorageError."""
    try:
        files.sync()
    except OSError as exc:
        raise not_synced(files.path(""), exc) from exc


class Segments:
    """The segments of a log, from the oldest to the newest, which alone is written to.

    A segment gets its name when its first write is on disk, and the next one is begun when all that counts of it is.
    """

    def __init__(self, files: Files, owner: bytes, state: State) -> None:
        """Begin with no segment, in `state`."""
        self.all: list[Segment] = []
        self.durable = state
        """What all durable changes come to."""
        self._files = files
        self._owner = owner
        self._newest: File | None = None
        self._written = 0  # bytes in it, those that may not be on disk included

    def adopt(self, segment: Segment, changes: Sequence[Change]) -> None:
        """Take a segment that was read, with the changes in it, as the newest."""
        self.all.append(segment)
        self._account(changes)

    def resume(self, size: int) -> None:
        """Go on in the newest segment, all of which is as it was written, up to `size`."""
        self._newest = self._files.open(self.all[-1].name)
        self._written = size

    def write(self, changes: Sequence[Change], limit: int) -> None:
        """Return when changes are durable, in the newest segment if that is below `limit` bytes, else in a new one.

        Raises StorageError; with code `raft.storage.full` nothing is lost and it may be called again, with the same
        changes and more.
        """
        if self._newest is None or self._written >= limit:
            self._begin(changes)
        else:
            self._continue(self._newest, changes)
        self._account(changes)

    def drop_oldest(self) -> bool:
        """Remove the oldest segment if nothing in it counts any more; return whether. Raises StorageError.

        Its vote and base were repeated, durably, in every segment after it.
        """
        if len(self.all) < 2 or self.all[0].top > self.durable.base[0]:
            return False
        oldest = self.all[0]
        with self._refusals("remove", oldest.name):
            self._files.remove(oldest.name)
        sync_names(self._files)  # before the next is removed: a crash must not leave a gap
        del self.all[0]
        return True

    def first_plain(self) -> Segment | None:
        """Return the oldest segment that is neither compressed nor written to, None if there is none."""
        return next((segment for segment in self.all[:-1] if not segment.compressed), None)

    def close(self) -> None:
        """Let go of the newest. Idempotent."""
        if self._newest is not None:
            self._newest.close()
            self._newest = None

    def _continue(self, file: File, changes: Sequence[Change]) -> None:
        segment = self.all[-1]
        segment_key = key(self._owner, segment.sequence)
        batch = encode_batch(changes, segment_key, self._written, segment.size)
        try:
            file.append(batch)
        except OSError as exc:
            self._give_up(file)
            raise refused(self._files.path(segment.name), "write", exc) from exc
        self._sync(file, segment.name)
        self._written += len(batch)
        segment.size = self._written
        # Not synced, so it costs little; it says that what is before it was. Without it the segment is still whole.
        mark = encode_batch((), segment_key, self._written, segment.size)
        try:
            file.append(mark)
            self._written += len(mark)
        except OSError:
            self._give_up(file)

    def _give_up(self, file: File) -> None:
        """Write nothing more behind a write that failed: the next one begins a segment, which says what counts here."""
        with contextlib.suppress(OSError):
            file.truncate(self._written)  # for the room only
        self.close()

    def _begin(self, changes: Sequence[Change]) -> None:
        self.close()
        last = self.all[-1] if self.all else Segment(0, "", 0)
        sequence = last.sequence + 1
        name = f"{sequence:016d}-{self.durable.last[0] + 1:020d}.wal"
        head = encode_head(Head(self._owner, sequence, last.size, self.durable))
        content = head + encode_batch(changes, key(self._owner, sequence), len(head), 0)
        file = self._create(name + UNFINISHED, content)
        try:
            self._sync(file, name + UNFINISHED)
            with self._refusals("rename", name + UNFINISHED):
                self._files.rename(name + UNFINISHED, name)
            sync_names(self._files)
        except StorageError:
            file.close()
            raise
        self.all.append(Segment(sequence, name, len(content)))
        self._newest, self._written = file, len(content)

    def _create(self, name: str, content: bytes) -> File:
        with self._refusals("create", name):
            file = self._files.create(name)
        try:
            file.append(content)
        except OSError as exc:
            file.close()
            with contextlib.suppress(OSError):
                self._files.remove(name)
            raise refused(self._files.path(name), "write", exc) from exc
        return file

    def _sync(self, file: File, name: str) -> None:
        try:
            file.sync()
        except OSError as exc:
            raise not_synced(self._files.path(name), exc) from exc

    @contextlib.contextmanager
    def _refusals(self, what: str, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise refused(self._files.path(name), what, exc) from exc

    def _account(self, changes: Sequence[Change]) -> None:
        """Keep what durable changes come to, and what is the highest index that counts in each segment."""
        base, last, vote = self.durable.base, self.durable.last, self.durable.vote
        newest = self.all[-1]
        for change in changes:
            match change:
                case Entry(index, term):
                    newest.top, last = index, (index, term)
                case Truncate(first, term):
                    self._lower_tops(first - 1)
                    last = (first - 1, term)
                case Base(index, term):
                    base = (index, term)
                case Reset(index, term):
                    self._lower_tops(0)
                    base = last = (index, term)
                case Vote():
                    vote = change
                case _:
                    assert_never(change)
        self.durable = State(base, last, vote)

    def _lower_tops(self, index: int) -> None:
        for segment in self.all:
            segment.top = min(segment.top, index)
