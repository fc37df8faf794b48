"""All files of one writer: which are open, when they end, and what a checkpoint has to know of them."""

from __future__ import annotations

import contextlib
import errno
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from wire.clients.compression import Codec, codec_of_name, compressor
from wire.core.clock import Clock
from wire.core.errors import FatalError, FencedError, RecordError
from wire.core.permissions import EVERYTHING, Permissions
from wire.core.ports import Failure
from wire.core.records import Batch
from wire.sinks.file import disk
from wire.sinks.file.config import Rotate
from wire.sinks.file.lines import Lines
from wire.sinks.file.naming import Marks, finished_name
from wire.sinks.file.recovery import check_free, check_header, remove_left_behind
from wire.sinks.file.segment import FENCED_HINT, Mark, Segment
from wire.sinks.file.token import Entry, Token

MAX_UNFINISHED: Final = 1024
"""Files that may be unfinished at a commit, so that the token stays small (I8)."""

_BAD_NAME: Final = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ)


class Layout(Struct, frozen=True):
    """Where and how files are written.

    `single` is the final name of the only file there is, None where files are numbered. `computed` says that paths
    come from records and are relative to `folder`, where else the only path leads. `codec` None goes by a file's name.
    `header` begins every file.
    """

    folder: str
    single: str | None
    computed: bool
    slot: int
    codec: Codec | None
    header: bytes
    rotate: Rotate | None
    max_open: int
    permissions: Permissions = EVERYTHING


class Output:
    """The files of one epoch of a writer. Its calls block, and are made one at a time."""

    def __init__(self, layout: Layout, lines: Lines, marks: Marks, token: Token | None, clock: Clock) -> None:
        """Begin where recovery to `token` has ended."""
        self._layout = layout
        self._lines = lines
        self._marks = marks
        self._clock = clock
        self._open: OrderedDict[str, Segment] = OrderedDict()  # by path, the one written least recently first
        self._ended: list[Segment] = []
        self._number = token.number if token else 1
        self._owned = layout.single if token and token.owned == layout.single else None
        self._commits = 0
        self._unconfirmed = False
        self._unsynced: set[str] = set()  # folders in which names changed
        self._cleaned: set[str] = set()

    # writing

    @property
    def must_copy(self) -> bool:
        """Whether the next write has to copy the single file first, which may take a while: call `prepare` for it."""
        return not self._open and self._owned is not None and os.path.exists(self._owned)

    def prepare(self) -> None:
        """Open the single file, continuing the one that is there. Raises RetryableError or FatalError."""
        if self._layout.single is not None:
            with disk.described():
                self._segment(self._layout.single)

    def write(self, batches: Sequence[Batch]) -> list[Failure]:
        """Add records. After an error nothing was added. Raises RetryableError when the disk is full, or FatalError."""
        groups, failures = self._lines.sort(batches)
        written: list[tuple[str, Segment, Mark]] = []
        try:
            for path, group in groups.items():
                try:
                    segment = self._segment(path)
                except RecordError as error:
                    failures += group.refused(error)
                    continue
                written.append((path, segment, segment.mark()))
                self._write(segment, group.lines)
        except BaseException as exc:
            for _, segment, mark in written:
                segment.undo(mark)
            if isinstance(exc, OSError):
                raise disk.describe(exc) from exc
            raise
        for path, segment, _ in written:
            if self._is_full(segment) and self._open.get(path) is segment:
                self._end(path)
        return failures

    def _write(self, segment: Segment, lines: list[bytes]) -> None:
        if not segment.length and self._layout.header:
            segment.write(self._layout.header, 0)
        segment.write(b"\n".join(lines) + b"\n", len(lines))

    def _segment(self, path: str) -> Segment:
        """Return the open file for a path; if there is none, make room and create it."""
        if path in self._open:
            self._open.move_to_end(path)
        else:
            if len(self._open) >= self._layout.max_open:
                self._end(next(iter(self._open)))
            self._open[path] = self._new(path)
        return self._open[path]

    def _is_full(self, segment: Segment) -> bool:
        rotate = self._layout.rotate
        return rotate is not None and (
            (rotate.max_size is not None and segment.length >= rotate.max_size.bytes)
            or (rotate.max_records is not None and segment.records >= rotate.max_records)
            or (rotate.max_age is not None and self._clock.monotonic() - segment.since_s >= rotate.max_age.s)
        )

    def _end(self, path: str) -> None:
        """Write no more to a file. It is published when all of it is covered by a stored checkpoint."""
        segment = self._open.pop(path)
        self._ended.append(segment)
        with contextlib.suppress(OSError):  # the commit does it again, and reports it
            segment.flush()
        segment.let_go()

    # new files

    def _new(self, path: str) -> Segment:
        if len(self._open) + len(self._ended) >= MAX_UNFINISHED:
            raise FatalError(
                "sink.file.too_many_paths",
                f"the records since the last checkpoint go to more than {MAX_UNFINISHED} files",
                hint="compute fewer different paths, or shorten `checkpoint.interval`",
            )
        self._check_epoch()
        if self._layout.single is not None:
            return self._new_single(self._layout.single)
        if self._layout.computed and not self._layout.permissions.allows_path(os.path.join(self._layout.folder, path)):
            hint = "compute another path: a link in the sink's `directory` leads out of what is allowed"
            raise RecordError("sink.file.path_refused", f"{path!r} is not allowed here", hint=hint)
        try:
            return self._new_numbered(os.path.join(self._layout.folder, path) if self._layout.computed else path)
        except OSError as exc:
            if self._layout.computed and exc.errno in _BAD_NAME:
                hint = "compute another path: no part of it may be too long, or a file where a folder is needed"
                raise RecordError(
                    "sink.file.path_refused", f"can't write to {path!r}: {exc.strerror}", hint=hint
                ) from exc
            raise

    def _new_single(self, final: str) -> Segment:
        self._enter_folder(final)
        if self._owned is None or not os.path.exists(final):
            check_free(final)
            return self._created(Segment, final)
        check_header(final, self._codec(final), self._layout.header)
        return self._created(Segment.continued, final)

    def _new_numbered(self, path: str) -> Segment:
        final = finished_name(path, self._layout.slot, self._number)
        self._enter_folder(final)
        check_free(final)
        segment = self._created(Segment, final)
        self._number += 1
        return segment

    def _created(self, make: Callable[..., Segment], final: str) -> Segment:
        compress = None if self._codec(final) == "none" else compressor(self._codec(final))
        segment = make(final, self._marks.temporary(final, "tmp"), compress, since_s=self._clock.monotonic())
        self._unsynced.add(os.path.dirname(final))
        return segment

    def _codec(self, final: str) -> Codec:
        return self._layout.codec or codec_of_name(final)

    def _enter_folder(self, final: str) -> None:
        folder = os.path.dirname(final)
        if folder not in self._cleaned:
            self._unsynced.update(disk.make_folder(folder))
            remove_left_behind(folder, self._marks)
            self._cleaned.add(folder)

    # checkpoints

    def commit(self) -> bytes:
        """Return once everything written is on the disk, with the token to recover to this point.

        Raises RetryableError when the disk is full (call it again), FencedError or FatalError.
        """
        self._check_epoch()
        with disk.described():
            if self._layout.single is not None and self._owned is None:
                self._begin_single(self._layout.single)
            for segment in self._segments():
                segment.flush()
            for segment in self._segments():
                segment.sync()
                segment.keep_as(self._marks.temporary(segment.final, "part"))
            self._sync_folders()
        entries = []
        for segment in self._segments():
            if segment.size or self._layout.single is not None:
                segment.committed = segment.size
                entries.append(Entry(segment.final, segment.size))
        self._commits += 1
        self._unconfirmed = True
        return self._token(entries).encode()

    def _begin_single(self, final: str) -> None:
        """Have the file be there even if no record ever comes."""
        segment = self._segment(final)
        if not segment.length and self._layout.header:
            segment.write(self._layout.header, 0)

    def _token(self, entries: list[Entry]) -> Token:
        return Token(
            epoch=self._marks.epoch,
            commit=self._commits,
            identity=self._marks.identity,
            number=self._number,
            owned=self._layout.single,
            entries=entries,
        )

    def confirm(self) -> None:
        """Learn that the token of the last commit is stored: publish what has ended. Raises FencedError, FatalError."""
        self._check_epoch()
        self._unconfirmed = False
        self._owned = self._layout.single
        for segment in self._segments():
            segment.confirmed = segment.committed
        with disk.described():
            for segment in [s for s in self._ended if s.settled or not s.length]:
                self._publish(segment)
                self._ended.remove(segment)
            self._sync_folders()

    def expire(self) -> None:
        """End the files that have reached their age, and publish those that a stored checkpoint covers."""
        for path, segment in [item for item in self._open.items() if self._is_full(item[1])]:
            if segment.settled and self._is_newest():
                with disk.described():
                    self._publish(segment)
                del self._open[path]
            else:
                self._end(path)

    def close(self) -> None:
        """Publish what stored checkpoints cover and remove the rest. Idempotent. Raises FatalError, RetryableError.

        Where it isn't known whether the last commit was stored, everything is left to the next start.
        """
        segments = list(self._segments())
        self._open.clear()
        self._ended.clear()
        for segment in segments:
            segment.let_go()
        if self._unconfirmed or not self._is_newest():
            return
        with disk.described():
            for segment in segments:
                self._publish(segment)
            self._sync_folders()
            disk.remove(self._marks.epoch_file(self._layout.folder))

    def _publish(self, segment: Segment) -> None:
        if segment.confirmed is not None and segment.confirmed != segment.published:
            segment.publish()
        else:
            segment.discard()
        self._unsynced.add(os.path.dirname(segment.final))

    def _segments(self) -> list[Segment]:
        return [*self._ended, *self._open.values()]

    def _sync_folders(self) -> None:
        for folder in list(self._unsynced):
            disk.sync_folder(folder)
            self._unsynced.discard(folder)

    # epochs

    def _is_newest(self) -> bool:
        return os.path.exists(self._marks.epoch_file(self._layout.folder))

    def _check_epoch(self) -> None:
        if not self._is_newest():  # I4: a writer that was stopped and thawed must not publish
            raise FencedError("sink.file.fenced", "a newer run of this pipeline writes here", hint=FENCED_HINT)
