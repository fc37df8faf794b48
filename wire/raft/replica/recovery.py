"""From what is on disk to what a replica begins with; and the very first snapshot, which founds a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from wire.core.errors import UnavailableError
from wire.raft.replica.configurations import Configurations
from wire.raft.replica.requests import Requests
from wire.raft.storage.ports import LogStore, SnapshotStore
from wire.raft.types import Configuration, StateMachine

_ALL = 1 << 62


class Recovered(Struct):
    """The configurations that count, and the entry up to which the state machine is."""

    configurations: Configurations
    applied: int


def found(snapshots: SnapshotStore, configuration: Configuration, machine: StateMachine, requests: Requests) -> None:
    """Found a cluster of these members, each of whom must do this with the same list, once, on an empty disk.

    A snapshot of nothing that was applied holds the configuration. The state machine must be as new.
    """
    writer = snapshots.begin(0, 0, configuration)
    for chunk in (*requests.snapshot(), *machine.snapshot()):
        writer.write(chunk)
    writer.commit()


def recover(store: LogStore, snapshots: SnapshotStore, machine: StateMachine, requests: Requests) -> Recovered:
    """Bring the state machine to the newest snapshot, and the log into step with it. Blocks.

    A crash may have come between a snapshot that was received and the log that is to begin behind it: then the log
    does not have the snapshot's last entry, and is thrown away (defects 4 and 7). Raises UnavailableError where the
    log begins behind what the snapshots cover.
    """
    require_no_gap(store, snapshots)
    info = snapshots.newest
    if info is None:  # somebody new, who has the log from its beginning, or nothing yet
        return Recovered(Configurations(0, Configuration(), store.entries(1, _ALL) if store.last[0] else ()), 0)
    if store.term_at(info.index) != info.term:
        store.reset(info.index, info.term)
        store.sync()
    restore(snapshots.chunks(info), machine, requests)
    behind = store.entries(info.index + 1, _ALL) if store.last[0] > info.index else ()
    return Recovered(Configurations(info.index, info.configuration, behind), info.index)


def require_no_gap(store: LogStore, snapshots: SnapshotStore) -> None:
    """Raise UnavailableError where the log begins behind what the snapshots cover."""
    covered = snapshots.newest.index if snapshots.newest is not None else 0
    if store.base[0] > covered:
        raise _gap(store.base[0], covered)


def restore(chunks: Iterator[bytes], machine: StateMachine, requests: Requests) -> None:
    """Bring the state machine, and what is known of requests, to what a snapshot holds. Blocks."""
    requests.restore(chunks)
    machine.restore(chunks)
    for _ in chunks:  # what is left unread is not checked
        pass


def _gap(base: int, index: int) -> UnavailableError:
    message = (
        f"the log begins behind entry {base}, the newest snapshot ends with entry {index}: what is between is gone"
    )
    hint = "remove this member from the cluster, and let it join again with an empty data directory"
    return UnavailableError("raft.storage.gap", message, hint=hint)
