"""The state as bytes, to be written while it goes on changing.

    the version of commands that is enabled, one byte; then frames: length (u32, little-endian), a msgpack array that
    begins with what it holds; the last one says how many there are

The version of commands is that of the format too: what a newer one adds is not in any state before that is enabled.
Frames are small, and cut into chunks wherever that falls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final, TypeVar, assert_never

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from wire.cluster.encoding import NEWEST
from wire.cluster.state import (
    Change,
    Job,
    JoinToken,
    Kept,
    Node,
    Pipeline,
    PipelineKey,
    PipelineVersion,
    State,
    StoredCheckpoint,
    Task,
)
from wire.core.errors import FatalError
from wire.core.records import PartitionKey

T = TypeVar("T")

CHUNK_BYTES: Final = 256 << 10
_ROWS: Final = 200  # in one frame, some tens of KiB of most kinds
_MAX_FRAME_BYTES: Final = 128 << 20  # more than any version of a spec can be: a longer one is damage (I8)


class _Frame(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What all frames have."""


class _Counters(_Frame, frozen=True, tag="counters"):
    now_ms: int
    last_epoch: int


class _Nodes(_Frame, frozen=True, tag="nodes"):
    rows: list[Node]


class _Pipeline(_Frame, frozen=True, tag="pipeline"):
    """Without its versions, which follow, each for itself: specs may be long."""

    row: Pipeline


class _Version(_Frame, frozen=True, tag="version"):
    pipeline: PipelineKey
    row: PipelineVersion


class _Jobs(_Frame, frozen=True, tag="jobs"):
    rows: list[Job]


class _Tasks(_Frame, frozen=True, tag="tasks"):
    rows: list[Task]


class _Checkpoints(_Frame, frozen=True, tag="checkpoints"):
    pipeline: PipelineKey
    rows: list[tuple[PartitionKey, StoredCheckpoint]]


class _Kept(_Frame, frozen=True, tag="kept"):
    """Came with version 3."""

    rows: list[tuple[PipelineKey, Kept]]


class _Tokens(_Frame, frozen=True, tag="tokens"):
    rows: list[JoinToken]


class _Changes(_Frame, frozen=True, tag="changes"):
    rows: list[Change]


class _End(_Frame, frozen=True, tag="end"):
    frames: int


_Part = _Counters | _Nodes | _Pipeline | _Version | _Jobs | _Tasks | _Checkpoints | _Kept | _Tokens | _Changes
_AnyFrame = _Part | _End

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_AnyFrame).decode


def chunks(state: State) -> Iterator[bytes]:
    """Return the state as of now, in chunks of at most `CHUNK_BYTES` that are made as they are asked for.

    The state may change meanwhile, and the chunks may be made in another thread. Of the checkpoints, which are the
    most, nothing is copied here: whoever changes those of a pipeline next does that.
    """
    state.unshared = set()
    frames: Iterator[_Part] = chain(
        [_Counters(state.now_ms, state.last_epoch)],
        map(_Nodes, _batches(list(state.nodes.values()))),
        _pipelines(list(state.pipelines.values())),
        map(_Jobs, _batches(list(state.jobs.values()))),
        map(_Tasks, _batches(list(state.tasks.values()))),
        _checkpoints(state.checkpoints.copy()),
        map(_Kept, _batches(list(state.kept.items()))),
        map(_Tokens, _batches(list(state.tokens.values()))),
        map(_Changes, _batches(state.changes.copy())),
    )
    return _cut(state.command_version, frames)


def _pipelines(pipelines: list[Pipeline]) -> Iterator[_Part]:
    for pipeline in pipelines:
        yield _Pipeline(replace(pipeline, versions=()))
        yield from (_Version(pipeline.key, version) for version in pipeline.versions)


def _checkpoints(checkpoints: dict[PipelineKey, dict[PartitionKey, StoredCheckpoint]]) -> Iterator[_Part]:
    for key, rows in checkpoints.items():
        for batch in _batches(rows.items()):
            yield _Checkpoints(key, batch)


def _batches(rows: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _ROWS)):
        yield batch


def _cut(version: int, frames: Iterator[_Part]) -> Iterator[bytes]:
    waiting = bytearray((version,))
    count = 0
    for frame in frames:
        count += 1
        yield from _put(waiting, frame)
    yield from _put(waiting, _End(count))
    yield bytes(waiting)


def _put(waiting: bytearray, frame: _AnyFrame) -> Iterator[bytes]:
    body = _encode(frame)
    waiting += len(body).to_bytes(4, "little")
    waiting += body
    while len(waiting) > CHUNK_BYTES:
        yield bytes(waiting[:CHUNK_BYTES])
        del waiting[:CHUNK_BYTES]


def read(data: Iterable[bytes]) -> State:
    """Return a state that is what `chunks` was given. Raises FatalError if that is not what this is."""
    stream = _Stream(data)
    (version,) = stream.take(1)
    if not 0 < version <= NEWEST:
        raise FatalError(
            "cluster.unknown_snapshot",
            f"the snapshot is of version {version}, and this release of Wire understands versions up to {NEWEST}",
            hint="upgrade Wire on this node and start it again",
        )
    state = State()
    state.command_version = version
    count = 0
    while not isinstance(frame := stream.frame(), _End):
        try:
            _put_back(state, frame)
        except KeyError as exc:
            raise _damaged("its parts do not belong together") from exc
        count += 1
    if frame.frames != count or not stream.is_over():
        raise _damaged("it does not end where it should")
    return state


def _put_back(state: State, frame: _Part) -> None:
    match frame:
        case _Counters():
            state.now_ms, state.last_epoch = frame.now_ms, frame.last_epoch
        case _Nodes():
            state.nodes.update((row.name, row) for row in frame.rows)
        case _Pipeline():
            state.pipelines[frame.row.key] = frame.row
        case _Version():
            pipeline = state.pipelines[frame.pipeline]
            state.pipelines[pipeline.key] = replace(pipeline, versions=(*pipeline.versions, frame.row))
        case _Jobs():
            state.jobs.update((row.id, row) for row in frame.rows)
        case _Tasks():
            state.tasks.update((row.key, row) for row in frame.rows)
        case _Checkpoints():
            state.checkpoints.setdefault(frame.pipeline, {}).update(frame.rows)
        case _Kept():
            state.kept.update(frame.rows)
        case _Tokens():
            state.tokens.update((row.id, row) for row in frame.rows)
        case _Changes():
            state.changes.extend(frame.rows)
        case _:
            assert_never(frame)


class _Stream:
    """Bytes that come in chunks, taken in pieces of any size."""

    def __init__(self, data: Iterable[bytes]) -> None:
        self._data = iter(data)
        self._waiting = bytearray()

    def take(self, size: int) -> bytes:
        while len(self._waiting) < size:
            chunk = next(self._data, None)
            if chunk is None:
                raise _damaged("it ends too early")
            self._waiting += chunk
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken

    def frame(self) -> _AnyFrame:
        size = int.from_bytes(self.take(4), "little")
        if size > _MAX_FRAME_BYTES:
            raise _damaged(f"something in it would have {size} bytes")
        try:
            frame: _AnyFrame = _decode(self.take(size))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise _damaged(str(exc)) from exc
        return frame

    def is_over(self) -> bool:
        return not self._waiting and not any(self._data)


def _damaged(what: str) -> FatalError:
    return FatalError(
        "cluster.damaged_snapshot",
        f"a snapshot of the cluster's state can't be read: {what}",
        hint="remove this node from the cluster, and let it join again with an empty data directory",
    )
