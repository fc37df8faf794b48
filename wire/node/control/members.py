"""The cluster and its nodes, as `wire.api.ports.ClusterOps`."""

from __future__ import annotations

from wire.api import views
from wire.api.ports import By, Part
from wire.cluster.commands import Done, DrainNode
from wire.cluster.state import NodeName
from wire.node.calls import ADD, LEAVE, REMOVE, TRANSFER, Addition, Change, Transfer
from wire.node.control import describing, listing
from wire.node.control.asking import Asking
from wire.node.control.forwarding import Forwarding
from wire.node.control.lists import part_of


class ClusterService:
    """Tells what this node knows, and has the leader make changes of the members, which only that can."""

    def __init__(self, asking: Asking, leader: Forwarding, cluster_id: str, release: str) -> None:
        """Be ready."""
        self._asking = asking
        self._leader = leader
        self._cluster_id = cluster_id
        self._release = release

    def cluster(self) -> views.Cluster:  # noqa: D102 (contract in the port)
        return listing.cluster(self._asking, self._cluster_id)

    def nodes(self, after: str | None, limit: int, *, nonvoters: bool) -> views.Page[views.Member]:  # noqa: D102
        chosen = [each for each in listing.members(self._asking) if nonvoters or each.role != "nonvoter"]
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

    async def add(self, address: str) -> views.Member:  # noqa: D102 (contract in the port)
        return await self._leader.ask(ADD, Addition(address))

    async def remove(self, id_: str, by: By) -> None:  # noqa: D102 (contract in the port)
        await self._leader.ask(REMOVE, Change(id_, by.actor, by.request_id))

    async def leave(self, id_: str, by: By) -> views.Member:  # noqa: D102 (contract in the port)
        return await self._leader.ask(LEAVE, Change(id_, by.actor, by.request_id))

    async def drain(self, id_: str, by: By, *, draining: bool) -> views.Member:  # noqa: D102 (contract in the port)
        await self._asking.state("linearizable")
        member = listing.find(self._asking.node, id_)
        if member is None:
            raise listing.unknown(id_)
        name = NodeName(member.name)
        command = DrainNode(at_ms=self._asking.now_ms(), actor=by.actor, name=name, draining=draining)
        await self._asking.carry_out(command, by.request_id, Done)
        return listing.view(self._asking, member.id)

    async def transfer_leadership(self, to: str | None) -> views.Cluster:  # noqa: D102 (contract in the port)
        return await self._leader.ask(TRANSFER, Transfer(to))

    async def snapshot(self) -> views.Snapshot:  # noqa: D102
        info = await self._asking.node.snapshot()
        return views.Snapshot(index=info.index, term=info.term, bytes=info.size, checksum=f"{info.checksum:016x}")
