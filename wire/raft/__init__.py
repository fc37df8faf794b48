"""Consensus: a replicated log that loses nothing that was acknowledged (I5), on pysyncobj behind a port of our own.

- `node`: `RaftNode`, the port; `inbox` and `snapshotting` are what it does in turns. - `founding`: where a cluster
begins. - `surviving`: what is left of one that lost its majority.
- `types`, `status`, `events`, `membership`, `addresses`: the words it is used in.
- `replica`: one member's part, deterministic. - `storage`: log and snapshots on disk. - `transport`: authenticated
streams between members. - `threads`: for work that blocks.

What was wrong in the library underneath, and how each of it is repaired and tested, is in docs/consensus.md.
"""

from wire.raft.events import Event, LeaderChanged, MemberRemoved, MembersChanged
from wire.raft.founding import found_cluster
from wire.raft.node import RaftNode
from wire.raft.replica.proposals import Outcome
from wire.raft.replica.settings import RaftSettings
from wire.raft.status import PeerStatus, Status
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.types import Configuration, Member, MemberId, Rejected, Role, StateMachine, Unknown

__all__ = [
    "Configuration",
    "Event",
    "LeaderChanged",
    "Member",
    "MemberId",
    "MemberRemoved",
    "MembersChanged",
    "Outcome",
    "PeerStatus",
    "RaftNode",
    "RaftSettings",
    "Rejected",
    "Role",
    "SnapshotInfo",
    "StateMachine",
    "Status",
    "Unknown",
    "found_cluster",
]
