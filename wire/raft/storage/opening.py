"""Finding a log on the disk: which files are there, whether they belong together, and what a crash left at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from wire.raft.storage.errors import StorageError, refused
from wire.raft.storage.files import Files
from wire.raft.storage.memory import Memory
from wire.raft.storage.records import Change, Head, State, key
from wire.raft.storage.replay import Replay
from wire.raft.storage.scanning import DAMAGED_HINT, check_tail, damaged, read_head, scan
from wire.raft.storage.sealed import SUFFIX, decompress
from wire.raft.storage.segments import NAME, UNFINISHED, Segment, Segments, sync_names
from wire.raft.types import Vote


class Recovery(Struct, frozen=True):
    """A write that a crash had interrupted: from `offset` of the file on, this many bytes were disregarded."""

    path: str
    offset: int
    bytes: int


class Opened(Struct):
    """A log as it was found.

    `repeat` are the last changes in it, already in `memory`: nothing says that they are on disk, so that they must be
    written again before anything is built on them.
    """

    segments: Segments
    memory: Memory
    vote: Vote
    repeat: list[Change]
    recovered: Recovery | None


class _Loaded(Struct):
    segment: Segment
    path: str
    data: bytes
    head: Head
    start: int


def open_log(files: Files, owner: bytes) -> Opened:
    """Read all segments of a log, of which there may be none. Raises StorageError if anything is not as it must be."""
    with _reading(files):
        found = _segments(files)
    if not found:
        return Opened(Segments(files, owner, State()), Memory(), Vote(), [], None)
    sync_names(files)  # a name may be there, and not be durable: its segment counts from now on
    return _Opening(files, owner, found).run()


class _Opening:
    """One pass over the segments, each read with the head of the next at hand."""

    def __init__(self, files: Files, owner: bytes, found: list[Segment]) -> None:
        self._files = files
        self._owner = owner
        self._found = found

    def run(self) -> Opened:
        segments = self._load()
        each = next(segments)
        self._replay = Replay(each.head.state)
        self._segments = Segments(self._files, self._owner, each.head.state)
        for following in segments:
            self._read_whole(each, following)
            each = following
        return self._finish(each)

    def _load(self) -> Iterator[_Loaded]:
        for segment in self._found:
            path = self._files.path(segment.name)
            with _reading(self._files, segment.name):
                file = self._files.open(segment.name)
                try:
                    data = file.read(0, file.size)
                finally:
                    file.close()
            if segment.compressed:
                data = decompress(data, path)
            head, start = read_head(data, path, self._owner, segment.sequence)
            yield _Loaded(segment, path, data, head, start)

    def _read_whole(self, loaded: _Loaded, following: _Loaded) -> None:
        counts = following.head.follows
        data = loaded.data[:counts]
        found = scan(data, loaded.path, key(self._owner, loaded.segment.sequence), loaded.start)
        if found.end < counts:
            if len(data) < counts:
                damaged(loaded.path, found.end, "what was written there is gone")
            damaged(loaded.path, found.end, "a record does not match its checksum")
        loaded.segment.size = counts
        self._take(loaded, found.changes)
        if self._segments.durable != following.head.state:
            damaged(following.path, 0, f"it does not go on where {loaded.path} ends")

    def _finish(self, newest: _Loaded) -> Opened:
        segment, data, path = newest.segment, newest.data, newest.path
        if segment.compressed:
            damaged(path, len(data), "it is not the newest segment, but the one after it is missing")
        segment_key = key(self._owner, segment.sequence)
        found = scan(data, path, segment_key, newest.start)
        check_tail(data, path, segment_key, found)
        segment.size = found.proven
        self._take(newest, found.changes[: found.proven_changes])
        repeat = found.changes[found.proven_changes :]
        self._replay.apply(repeat, path)
        # only now: the base that lets the oldest be the oldest may be among what is repeated
        self._replay.finish(self._files.path(self._found[0].name))
        if not repeat and found.end == found.batch_end == len(data):
            with _reading(self._files, segment.name):
                self._segments.resume(found.end)
        torn = len(data) - found.end
        recovered = Recovery(path, found.end, torn) if torn else None
        return Opened(self._segments, self._replay.memory, self._replay.vote, repeat, recovered)

    def _take(self, loaded: _Loaded, changes: list[Change]) -> None:
        self._replay.apply(changes, loaded.path)
        self._segments.adopt(loaded.segment, changes)


def _segments(files: Files) -> list[Segment]:
    """Return the segments that are there, and remove what is left of those that were never finished."""
    found: dict[int, Segment] = {}
    for name in files.names():  # sorted: a plain segment comes before its compressed copy
        if name.endswith(UNFINISHED) and NAME.fullmatch(name.removesuffix(UNFINISHED)):
            files.remove(name)
        elif match := NAME.fullmatch(name):
            sequence = int(match[1])
            if sequence in found and name == found[sequence].name + SUFFIX:
                files.remove(name)
            elif sequence in found:
                damaged(files.path(name), 0, f"{files.path(found[sequence].name)} has the same number")
            else:
                found[sequence] = Segment(sequence, name, 0)
    for before, after in pairwise(sorted(found)):
        if after != before + 1:
            message = f"segment {before + 1} of the log is missing before {files.path(found[after].name)}"
            raise StorageError("raft.storage.damaged", message, hint=DAMAGED_HINT)
    return [found[sequence] for sequence in sorted(found)]


@contextlib.contextmanager
def _reading(files: Files, name: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise refused(files.path(name), "read", exc) from exc
