"""The members as one node knows them: what consensus says, and what they said of themselves."""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from wire.api import views
from wire.cluster.state import NodeName
from wire.core.errors import RefusedError
from wire.node.control.asking import Asking
from wire.raft import Member, MemberId, RaftNode

SILENT_S: Final = 5.0
"""Several elections would have been over by then."""


def cluster(asking: Asking, cluster_id: str) -> views.Cluster:
    """Return the cluster."""
    status = asking.node.status()
    return views.Cluster(
        cluster_id=cluster_id,
        term=status.term,
        leader=status.leader.id if status.leader is not None else None,
        members=members(asking),
    )


def members(asking: Asking) -> tuple[views.Member, ...]:
    """Return all members, by id."""
    node, status = asking.node, asking.node.status()
    leader = status.leader.id if status.leader is not None else None
    silence = {peer.id: peer.last_contact_s for peer in status.peers} | {node.me.id: 0.0}
    voters = {each.id for each in node.members().voters}
    found = []
    for each in sorted(node.members().members):
        said, silent_s = asking.known.nodes.get(NodeName(each.name)), silence.get(each.id)
        member = views.Member(
            id=each.id,
            name=each.name,
            address=each.address,
            role="leader" if each.id == leader else "voter" if each.id in voters else "nonvoter",
            state=_liveness(silent_s, leads=each.id == leader),
            last_contact_ms=None if silent_s is None else round(silent_s * 1000),
        )
        if said is not None and each.id == f"{said.name}/{said.incarnation}":
            member = replace(
                member,
                workers=said.workers,
                labels=said.labels,
                release=said.release,
                draining=said.draining,
                leaving=said.leaving,
            )
        found.append(member)
    return tuple(found)


def view(asking: Asking, id_: MemberId) -> views.Member:
    """Return a member. Raises RefusedError if it is none any more."""
    found = next((each for each in members(asking) if each.id == id_), None)
    if found is None:
        raise unknown(id_)
    return found


def heard(node: RaftNode) -> set[MemberId]:
    """Return whom a leader has heard of lately, itself included."""
    return {peer.id for peer in node.status().peers if peer.last_contact_s < SILENT_S} | {node.me.id}


def find(node: RaftNode, id_: str) -> Member | None:
    """Return the member of an id, or of a name."""
    return next((each for each in node.members().members if id_ in (each.id, each.name)), None)


def unknown(id_: str) -> RefusedError:
    """Say that there is no member of that id, or that name."""
    return RefusedError("raft.unknown_member", f"there is no node {id_}", hint="GET /nodes?nonvoters lists them")


def _liveness(silent_s: float | None, *, leads: bool) -> Literal["live", "silent", "unknown"]:
    if silent_s is None:
        return "live" if leads else "unknown"  # who follows hears of the leader only
    return "live" if silent_s < SILENT_S else "silent"
