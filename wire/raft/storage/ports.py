"""What the replica asks of its storage. All calls block; the driver makes them where that harms nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from wire.raft.types import Configuration, Entry, Vote


class LogStore(Protocol):
    """The log and the vote of one member. Not for concurrent use.

    The log begins behind its *base*, an entry of which only index and term are known: (0, 0), or what the newest
    snapshot covers. Reads see all that was changed; what was changed is on disk when `sync` has returned, all of it or,
    after a crash, what was changed first (a prefix of the changes, in their order).
    """

    @property
    def base(self) -> tuple[int, int]:
        """Index and term of what the log begins behind."""
        ...

    @property
    def last(self) -> tuple[int, int]:
        """Index and term of the last entry, `base` if there is none."""
        ...

    @property
    def vote(self) -> Vote:
        """The term and the vote."""
        ...

    @property
    def dirty(self) -> bool:
        """Whether anything was changed since the last `sync`."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the commands behind the base."""
        ...

    @property
    def disk_bytes(self) -> int:
        """What it takes on disk, as far as that can be told quickly."""
        ...

    def term_at(self, index: int) -> int | None:
        """Return the term of an entry or of the base; None outside the log. Takes constant time."""
        ...

    def entries(self, first: int, max_bytes: int, max_count: int = 1 << 30) -> Sequence[Entry]:
        """Return entries from `first` on: as many as fit, and at least one where there is one."""
        ...

    def append(self, entry: Entry) -> None:
        """Add the entry behind the last one. Its index must be the next."""
        ...

    def truncate(self, first: int) -> None:
        """Drop the entries from `first` on."""
        ...

    def set_vote(self, vote: Vote) -> None:
        """Remember a term, never lower than before, and the vote in it."""
        ...

    def compact(self, index: int) -> None:
        """Make an entry the new base, once a snapshot that covers it is durable.

        Returns quickly whatever the length of the log; memory and disk are given back bit by bit with later calls.
        """
        ...

    def reset(self, index: int, term: int) -> None:
        """Throw all entries away: the log begins behind a snapshot that was received."""
        ...

    def sync(self) -> None:
        """Return when all changes are on disk. Raises StorageError; then nothing else may be called but `close`."""
        ...

    def tidy(self) -> bool:
        """Do some milliseconds of work that can wait; return whether there is more. Raises StorageError as `sync`."""
        ...

    def close(self) -> None:
        """Let go of the files; what was not synced may be lost. Idempotent."""
        ...


class SnapshotInfo(Struct, frozen=True):
    """A snapshot: what it covers, the configuration as of that entry, its size in bytes and its checksum."""

    index: int
    term: int
    configuration: Configuration
    size: int
    checksum: int


class SnapshotWriter(Protocol):
    """A snapshot that is being written, by this member or as it arrives from another."""

    def write(self, chunk: bytes) -> None:
        """Add a chunk; what is read back is the same chunks."""
        ...

    def commit(self) -> SnapshotInfo:
        """Make it durable and the newest; older ones beyond those to keep are removed."""
        ...

    def abort(self) -> None:
        """Throw it away. Idempotent, and does nothing after `commit`."""
        ...


class SnapshotReceiver(Protocol):
    """A snapshot that arrives in pieces, as the bytes they have at the sender."""

    @property
    def offset(self) -> int:
        """From where on bytes are missing; after a restart, what had arrived and is whole."""
        ...

    def accept(self, offset: int, data: bytes) -> bool:
        """Take a piece; a piece that does not begin at `offset` changes nothing. Return whether it was taken."""
        ...

    def commit(self) -> SnapshotInfo:
        """Check the whole and make it durable and the newest. Raises StorageError if it is damaged: it is dropped."""
        ...


class SnapshotStore(Protocol):
    """The snapshots of one member. Not for concurrent use."""

    @property
    def newest(self) -> SnapshotInfo | None:
        """The newest that is whole."""
        ...

    def begin(self, index: int, term: int, configuration: Configuration) -> SnapshotWriter:
        """Begin to write one."""
        ...

    def chunks(self, info: SnapshotInfo) -> Iterator[bytes]:
        """Return what was written, chunk by chunk. Raises StorageError at a chunk that is damaged."""
        ...

    def check(self, info: SnapshotInfo) -> bool:
        """Read on in the snapshot for some milliseconds; return whether all of it was read and is whole."""
        ...

    def read(self, info: SnapshotInfo, offset: int, size: int) -> bytes:
        """Return a piece of the snapshot, once it is checked, as another member's `SnapshotReceiver` takes it."""
        ...

    def receive(self, info: SnapshotInfo) -> SnapshotReceiver:
        """Begin to receive one, or go on with it where it was interrupted. An unfinished other one is dropped."""
        ...

    def close(self) -> None:
        """Let go of the files. Idempotent."""
        ...
