"""What the tests of snapshots have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.sim.disk import SimulatedFiles
from wire.raft.storage.errors import StorageError
from wire.raft.storage.files import DiskFile, DiskFiles, Files
from wire.raft.storage.ports import SnapshotInfo, SnapshotReceiver, SnapshotStore
from wire.raft.storage.snapshots import FileSnapshots
from wire.raft.types import Configuration, Member, MemberId

OWNER = b"cluster-1"
CONFIGURATION = Configuration(
    voters=(Member(MemberId("a/1"), "a:1"), Member(MemberId("b/1"), "b:1")), learners=(Member(MemberId("c/1"), "c:1"),)
)
CHUNKS = [b"first", b"", b"second chunk", bytes(40)]


def opened(place: Path | Files, owner: bytes = OWNER, retain: int = 3) -> FileSnapshots:
    return FileSnapshots(DiskFiles(place) if isinstance(place, Path) else place, owner, retain)


def written(store: SnapshotStore, index: int, chunks: Iterable[bytes] = CHUNKS, term: int = 2) -> SnapshotInfo:
    writer = store.begin(index, term, CONFIGURATION)
    for chunk in chunks:
        writer.write(chunk)
    return writer.commit()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def name(index: int, term: int = 2) -> str:
    return f"snapshot-{index:020}-{term:020}"


def deliver(receiver: SnapshotReceiver, content: bytes, piece: int = 7) -> None:
    while receiver.offset < len(content):
        assert receiver.accept(receiver.offset, content[receiver.offset : receiver.offset + piece])


@contextlib.contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[StorageError]]:
    with pytest.raises(StorageError) as caught:
        yield caught
    assert caught.value.code == code


def as_sent(index: int, chunks: Iterable[bytes] = CHUNKS) -> tuple[SnapshotInfo, bytes]:
    """Return a snapshot as another member sends it."""
    sender = opened(SimulatedFiles(Random(0)))
    info = written(sender, index, chunks)
    return info, sender.read(info, 0, info.size)


class CountedFile(DiskFile):
    """A file of the disk that remembers how it was read."""

    def __init__(self, inner: DiskFile, reads: list[int]) -> None:
        self.__dict__.update(inner.__dict__)
        self._reads = reads

    def read(self, offset: int, size: int) -> bytes:
        self._reads.append(size)
        return super().read(offset, size)

    @property
    def is_open(self) -> bool:
        return self._open


class CountedFiles(DiskFiles):
    """A folder of the disk that remembers what was read and opened."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reads: list[int] = []
        self._all: list[CountedFile] = []

    def open(self, name: str) -> DiskFile:
        self._all.append(CountedFile(super().open(name), self.reads))
        return self._all[-1]

    def open_ones(self) -> list[CountedFile]:
        return [file for file in self._all if file.is_open]
