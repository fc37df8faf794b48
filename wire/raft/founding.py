"""How a cluster begins: in the folder of each of its founders."""

from __future__ import annotations

from pathlib import Path

from wire.raft.replica.recovery import found
from wire.raft.replica.requests import Requests
from wire.raft.replica.settings import RaftSettings
from wire.raft.storage.folder import open_member_snapshots
from wire.raft.storage.locking import locked
from wire.raft.types import Configuration, StateMachine


def found_cluster(folder: Path, cluster_id: str, founders: Configuration, machine: StateMachine) -> None:
    """Make `folder` that of a founder. Every founder does so once, with the same list and a machine as new. Blocks."""
    settings = RaftSettings()
    requests = Requests(settings.max_requests, settings.max_requests_bytes)
    with locked(folder):
        found(open_member_snapshots(folder, cluster_id), founders, machine, requests)
