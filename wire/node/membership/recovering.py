"""A cluster whose majority is gone for good goes on with the one node that is left. Offline: docs/recovery.md."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Sequence

from msgspec import Struct

from wire.core.errors import RefusedError
from wire.node.data_dir import DataDir, refused
from wire.raft import Member
from wire.raft.surviving import Left, look, survive


class Recovery(Struct, frozen=True):
    """What would be, or has been made: a cluster of `alone` instead of one of all these `members`."""

    cluster: str
    alone: Member
    members: Sequence[Member]
    last_index: int
    last_term: int

    @property
    def lost(self) -> list[Member]:
        """Who is a member no more."""
        return [each for each in self.members if each.id != self.alone.id]


def found_in(data: DataDir) -> Recovery:
    """Return what there is to recover from. Blocking. Raises RefusedError where a node has no cluster to recover."""
    cluster = data.identity.cluster
    if cluster is None:
        message = f"the node {data.identity.name} belongs to no cluster"
        raise RefusedError("node.nothing_to_recover", message, hint="start it with --join, or alone")
    if data.identity.parted is not None:
        raise data.gone()
    return _recovery(cluster, look(data.raft, cluster, data.identity.member))


def recover(data: DataDir, new_id: Callable[[], str] = lambda: str(uuid.uuid4())) -> Recovery:
    """Make a cluster of its own of what this node has, under a new id, and return that. Blocking.

    Broken off, nothing has changed; what was before is kept beside it. Raises as `found_in` does.
    """
    before = found_in(data)
    cluster = new_id()
    folder = data.path / f"raft-{cluster}"
    try:
        left = survive(data.raft, before.cluster, data.identity.member, folder, cluster)
    except BaseException as exc:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(exc, OSError):
            raise refused(data.path, exc) from exc
        raise
    data.recover_cluster(cluster, folder.name)
    return _recovery(cluster, left)


def _recovery(cluster: str, left: Left) -> Recovery:
    return Recovery(cluster, left.me, left.members.members, left.last_index, left.last_term)
