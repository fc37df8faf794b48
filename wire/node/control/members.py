"""The cluster and its nodes, as `wire.api.ports.ClusterOps`."""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from wire.api import views
from wire.api.ports import By, Part
from wire.cluster.commands import Done, RemoveNode
from wire.cluster.state import NodeName
from wire.core.errors import RefusedError, RetryableError
from wire.node.control import describing
from wire.node.control.asking import Asking, error_of
from wire.node.control.lists import part_of
from wire.raft import Member, MemberId, Rejected, Role, Unknown

_SILENT_S: Final = 5.0
"""Several elections would have been over by then."""


class ClusterService:
    """Tells what this node knows, and asks consensus for changes of the members, which only the leader can make."""

    def __init__(self, asking: Asking, cluster_id: str, release: str) -> None:
        """Be ready."""
        self._asking = asking
        self._cluster_id = cluster_id
        self._release = release

    def cluster(self) -> views.Cluster:  # noqa: D102 (contract in the port)
        status = self._asking.node.status()
        return views.Cluster(
            cluster_id=self._cluster_id,
            term=status.term,
            leader=status.leader.id if status.leader is not None else None,
            members=self._members(),
        )

    def nodes(self, after: str | None, limit: int, *, nonvoters: bool) -> views.Page[views.Member]:  # noqa: D102
        chosen = [each for each in self._members() if nonvoters or each.role != "nonvoter"]
        return part_of(chosen, Part(after, limit, "stale"), lambda each: each.id, str, lambda each: each)

    def status(self) -> views.NodeStatus:  # noqa: D102
        node, state, status = self._asking.node, self._asking.known, self._asking.node.status()
        return views.NodeStatus(
            node=views.NodeInfo(id=node.me.id, name=node.me.name, address=node.me.address, release=self._release),
            cluster_id=self._cluster_id,
            command_version=state.command_version,
            consensus=views.Consensus(
                role=status.role.value,
                term=status.term,
                leader=status.leader.id if status.leader is not None else None,
                commit_index=status.commit,
                applied_index=status.applied,
                log_first_index=status.log_first,
                log_last_index=status.log_last,
                trouble=node.trouble.message if node.trouble is not None else None,
            ),
            counts=describing.counts(state),
        )

    async def remove(self, id_: str, by: By) -> None:  # noqa: D102
        state = await self._asking.state("linearizable")
        member = self._find(id_)
        name = NodeName(member.name if member is not None else id_.partition("/")[0])
        if member is None and name not in state.nodes:
            raise _unknown(id_)
        if member is not None:
            outcome = await self._asking.node.remove_member(member.id, self._asking.timeout_s)
            self._require(outcome)
        # last, so that whoever asks again after a failure in between gets this far
        command = RemoveNode(at_ms=self._asking.now_ms(), actor=by.actor, name=name)
        await self._asking.carry_out(command, by.request_id, Done)

    async def transfer_leadership(self, to: str | None) -> views.Cluster:  # noqa: D102
        target: MemberId | None = None
        if to is not None:
            member = self._find(to)
            if member is None:
                raise _unknown(to)
            target = member.id
        if self._asking.node.status().role is not Role.LEADER:
            self._require(Rejected("raft.not_leader", "this node does not lead", self._asking.node.status().leader))
        self._require(await self._asking.node.transfer_leadership(target, self._asking.timeout_s) or b"")
        return self.cluster()

    async def snapshot(self) -> views.Snapshot:  # noqa: D102
        info = await self._asking.node.snapshot()
        return views.Snapshot(index=info.index, term=info.term, bytes=info.size, checksum=f"{info.checksum:016x}")

    def _members(self) -> tuple[views.Member, ...]:
        node, status = self._asking.node, self._asking.node.status()
        leader = status.leader.id if status.leader is not None else None
        silence = {peer.id: peer.last_contact_s for peer in status.peers} | {node.me.id: 0.0}
        voters = {each.id for each in node.members().voters}
        found = []
        for each in sorted(node.members().members):
            said, silent_s = self._asking.known.nodes.get(NodeName(each.name)), silence.get(each.id)
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
                    member, workers=said.workers, labels=said.labels, release=said.release, draining=said.draining
                )
            found.append(member)
        return tuple(found)

    def _find(self, id_: str) -> Member | None:
        members = self._asking.node.members().members
        return next((each for each in members if id_ in (each.id, each.name)), None)

    def _require(self, outcome: bytes | Rejected | Unknown) -> None:
        if isinstance(outcome, Unknown):
            hint = "look at the members before asking again"
            raise RetryableError("cluster.outcome_unknown", outcome.message, after_s=1.0, hint=hint)
        if not isinstance(outcome, Rejected):
            return
        if outcome.code == "raft.not_leader":
            where = f"{outcome.leader.name} leads, at {outcome.leader.address}" if outcome.leader else "nobody leads"
            raise RefusedError("raft.not_leader", f"only the leader can do that: {where}", hint="ask the leader")
        raise error_of(outcome)


def _liveness(silent_s: float | None, *, leads: bool) -> Literal["live", "silent", "unknown"]:
    if silent_s is None:
        return "live" if leads else "unknown"  # who follows hears of the leader only
    return "live" if silent_s < _SILENT_S else "silent"


def _unknown(id_: str) -> RefusedError:
    return RefusedError("raft.unknown_member", f"there is no node {id_}", hint="GET /nodes?nonvoters lists them")
