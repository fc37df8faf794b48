"""How a member is."""

from __future__ import annotations

from msgspec import Struct, field

from wire.core.timings import Timings
from wire.raft.replica.replica import Replica
from wire.raft.transport.ports import TransportCounters
from wire.raft.types import Member, MemberId, Role


class PeerStatus(Struct, frozen=True, order=True):
    """How far the leader knows a peer to be, and how long ago it heard of it, in seconds."""

    id: MemberId
    match: int
    last_contact_s: float


class Figures(Struct):
    """What a member has counted since its start.

    How long it waited for the disk and for its proposals, and how long each entry took to be applied.
    """

    syncs: Timings = field(default_factory=Timings)
    proposals: Timings = field(default_factory=Timings)
    applies: Timings = field(default_factory=Timings)


class Status(Struct, frozen=True):
    """`log_first` is the last entry that is *not* in the log any more; `peers` is empty unless this member leads.

    Since the start, `transport` counts what came of connections, whoever was turned away by code, and `dropped` the
    messages that came while too many waited.
    """

    role: Role
    term: int
    leader: Member | None
    commit: int
    applied: int
    log_first: int
    log_last: int
    peers: tuple[PeerStatus, ...]
    transport: TransportCounters
    dropped: int


def peers_of(replica: Replica, now_s: float) -> tuple[PeerStatus, ...]:
    """Return how far each of the others is, by id, as a replica that leads knows it."""
    return tuple(
        sorted(
            PeerStatus(MemberId(peer.id), replica.match.get(peer, 0), now_s - replica.heard.get(peer, now_s))
            for peer in (*replica.other_voters, *replica.other_learners)
        )
    )
