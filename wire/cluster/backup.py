"""A backup: the state in a file of its own, checked throughout, and what of it is put back into another cluster.

    "wire-backup" and a line feed; header: length (u32, little-endian), a JSON object; parts of the state as a snapshot
    has them, each: length, bytes; a length of 0; xxh3 (u64) of all before

What is put back is the pipelines, with their versions and what is desired of them, and their checkpoints. Not put back
is what belongs to the cluster that was: its nodes, who ran what, jobs that are over, tokens, the trail of changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from xxhash import xxh3_64

from wire.cluster import snapshot
from wire.cluster.commands import RestoreCheckpoints, RestorePipelines
from wire.cluster.encoding import encode
from wire.cluster.state import HOMES, JobId, Pipeline, PipelineKey, State
from wire.core.errors import FatalError, RefusedError

FORMAT: Final = 1
_MAGIC: Final = b"wire-backup\n"
_ROWS: Final = 500
_LARGEST: Final = 8 << 20
_HINT: Final = "take another copy of it; there is no part of it that can be trusted"


class Header(Struct, frozen=True, kw_only=True):
    """What a backup says of itself: of which cluster, as of which entry of its log, when, by which release."""

    cluster: str
    index: int
    taken_ms: int
    release: str
    format: int = FORMAT


class Restoring(Struct, frozen=True):
    """What puts a backup back: `staged` first, in this order, then `final`, which makes it all count at once."""

    staged: tuple[RestoreCheckpoints, ...]
    final: RestorePipelines

    @property
    def checkpoints(self) -> int:
        """How many checkpoints are put back."""
        return sum(len(each.rows) for each in self.staged)


def chunks(header: Header, state: Iterable[bytes]) -> Iterator[bytes]:
    """Return a backup of what `wire.cluster.snapshot.chunks` gave, in parts that are made as they are asked for."""
    running = xxh3_64()
    body = msgspec.json.encode(header)
    head = _MAGIC + _length(body) + body
    running.update(head)
    yield head
    for chunk in state:
        part = _length(chunk) + chunk
        running.update(part)
        yield part
    running.update(_length(b""))
    yield _length(b"") + running.digest()


def read(data: bytes) -> tuple[Header, State]:
    """Return what a backup says of itself and the state it holds.

    Raises RefusedError: `cluster.damaged_backup`, or `cluster.unknown_snapshot` for one of a newer release.
    """
    if not data.startswith(_MAGIC):
        raise RefusedError("cluster.damaged_backup", "this is no backup of a cluster", hint="send the file as it is")
    if xxh3_64(data[:-8]).digest() != data[-8:]:
        raise _damaged("its checksum is wrong")
    at = len(_MAGIC)
    size = int.from_bytes(data[at : at + 4], "little")
    at += 4
    try:
        header = msgspec.json.decode(data[at : at + size], type=Header)
        if header.format > FORMAT:
            message = f"the backup is in format {header.format}, and this release knows formats up to {FORMAT}"
            raise RefusedError("cluster.unknown_snapshot", message, hint="upgrade all nodes, and restore it then")
        return header, snapshot.read(_parts(data, at + size))
    except FatalError as exc:
        if exc.code == "cluster.unknown_snapshot":
            raise RefusedError(exc.code, exc.message, hint="upgrade all nodes, and restore it then") from exc
        raise _damaged(exc.message) from exc
    except msgspec.MsgspecError as exc:
        raise _damaged(str(exc)) from exc


def restoring(state: State, version: int, *, at_ms: int, actor: str, new_job: Callable[[], JobId]) -> Restoring:
    """Return what puts a backup's state back, whoever asks for it, into a cluster at that version of commands."""
    pipelines = tuple(replace(_known(each, version), job=None, home=None) for each in state.pipelines.values())
    staged = list(clearing((each.key for each in pipelines), at_ms=at_ms, actor=actor))
    for each in pipelines:
        rows = (
            (partition, stored)
            for partition, stored in state.checkpoints.get(each.key, {}).items()
            if stored.checkpoint.generation == each.generation
        )
        while batch := tuple(islice(rows, _ROWS)):
            staged.append(RestoreCheckpoints(at_ms=at_ms, actor=actor, key=each.key, rows=batch))
    final = RestorePipelines(
        at_ms=at_ms,
        actor=actor,
        pipelines=pipelines,
        jobs=tuple(new_job() for _ in pipelines),
        last_epoch=state.last_epoch,
    )
    return Restoring(tuple(staged), _fitting(final))


def _known(pipeline: Pipeline, version: int) -> Pipeline:
    """Leave out what nodes do not know where a version is not enabled."""
    if version >= HOMES:
        return pipeline
    return replace(pipeline, versions=tuple(replace(each, keeps_files=None) for each in pipeline.versions))


def clearing(keys: Iterable[PipelineKey], *, at_ms: int, actor: str) -> Iterator[RestoreCheckpoints]:
    """Return what forgets checkpoints that were put back for pipelines that were not."""
    return (RestoreCheckpoints(at_ms=at_ms, actor=actor, key=key, rows=(), anew=True) for key in keys)


def _fitting(command: RestorePipelines) -> RestorePipelines:
    """Leave out versions that nobody can fall back to by themselves, where all of them are too much for one command."""
    if len(encode(command)) <= _LARGEST:
        return command
    return replace(command, pipelines=tuple(_shortened(each) for each in command.pipelines))


def _shortened(pipeline: Pipeline) -> Pipeline:
    kept = (pipeline.current, pipeline.proven)
    return replace(pipeline, versions=tuple(each for each in pipeline.versions if each.number in kept))


def _parts(data: bytes, at: int) -> Iterator[bytes]:
    while size := int.from_bytes(data[at : at + 4], "little"):
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


def _length(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little")


def _damaged(what: str) -> RefusedError:
    return RefusedError("cluster.damaged_backup", f"the backup is not what was written: {what}", hint=_HINT)
