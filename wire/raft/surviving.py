"""What is left of a cluster whose majority is gone for good, made a cluster of its own: offline, in a new folder.

The old folder stays as it is. The new one holds the same snapshot and the same log under another cluster's id, so that
the dead, should they come back, are strangers; and behind all else a configuration in which this member decides alone.
What a majority had and this member did not is not in it; what this member had and no majority is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from wire.core.errors import RefusedError
from wire.raft.membership import following
from wire.raft.replica.configurations import Configurations, command_of
from wire.raft.replica.recovery import require_no_gap
from wire.raft.storage.files import DiskFiles
from wire.raft.storage.folder import open_member_log, open_member_snapshots
from wire.raft.storage.locking import locked
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.types import Configuration, Entry, Member, MemberId, Vote

_BATCH_BYTES: Final = 16 << 20


class Left(Struct, frozen=True):
    """What a member's folder holds: who was in the cluster as far as it knows, and up to which entry."""

    me: Member
    members: Configuration
    last_index: int
    last_term: int
    snapshot_index: int


class _Storage:
    def __init__(self, folder: Path, cluster: str, me: MemberId) -> None:
        self.log = open_member_log(folder, cluster, me)
        self.snapshots = open_member_snapshots(folder, cluster)

    def close(self) -> None:
        self.log.close()
        self.snapshots.close()

    @property
    def covered(self) -> SnapshotInfo | None:
        """The newest snapshot. Raises UnavailableError where the log begins behind what it covers."""
        require_no_gap(self.log, self.snapshots)
        return self.snapshots.newest

    def behind(self, info: SnapshotInfo | None) -> Iterator[Entry]:
        """Return the entries behind the snapshot."""
        following_it = info is None or self.log.term_at(info.index) == info.term
        index = (0 if info is None else info.index) + 1
        while following_it and index <= self.log.last[0]:
            entries = self.log.entries(index, _BATCH_BYTES)
            yield from entries
            index = entries[-1].index + 1


def look(folder: Path, cluster: str, me: MemberId) -> Left:
    """Return what is in a folder that no process uses. Blocking.

    Raises FatalError for a storage that can't be gone on with, RefusedError if `me` is no member as far as is known.
    """
    with _opened(folder, cluster, me) as storage:
        return _left(storage, me)


def survive(folder: Path, cluster: str, me: MemberId, into: Path, new_cluster: str) -> Left:
    """Write into a new folder what is in the old one, as a cluster of `me` alone, and return what that is. Blocking."""
    into.mkdir(mode=0o700)
    with _opened(folder, cluster, me) as old, _opened(into, new_cluster, me) as new:
        before = _left(old, me)
        info = old.covered
        if info is not None:
            writer = new.snapshots.begin(info.index, info.term, info.configuration)
            for chunk in old.snapshots.chunks(info):
                writer.write(chunk)
            writer.commit()
            new.log.reset(info.index, info.term)
        size = 0
        for entry in old.behind(info):
            new.log.append(entry)
            size += len(entry.command)
            if size >= _BATCH_BYTES:
                new.log.sync()
                size = 0
        term = max(old.log.vote.term, before.last_term) + 1
        alone = following(before.members, Configuration(voters=(before.me,)))
        new.log.set_vote(Vote(term))
        new.log.append(Entry(new.log.last[0] + 1, term, command_of(alone)))
        new.log.sync()
        DiskFiles(into).sync()  # the names of the folders in it
        return _left(new, me)


@contextmanager
def _opened(folder: Path, cluster: str, me: MemberId) -> Iterator[_Storage]:
    with locked(folder), closing(_Storage(folder, cluster, me)) as storage:
        yield storage


def _left(storage: _Storage, me: MemberId) -> Left:
    info = storage.covered
    known = Configurations(0, Configuration()) if info is None else Configurations(info.index, info.configuration)
    last = (0, 0) if info is None else (info.index, info.term)
    for entry in storage.behind(info):
        known.appended(entry)
        last = entry.index, entry.term
    member = known.newest.member(me)
    if member is None:
        message = f"{me} is no member of the cluster, as far as its folder tells"
        hint = "recover another node; let this one join with an empty data folder"
        raise RefusedError("raft.unknown_member", message, hint=hint)
    return Left(member, known.newest, *last, 0 if info is None else info.index)
