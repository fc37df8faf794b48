"""Changes of the members, as the leader makes them. Elsewhere they are refused with `raft.not_leader`."""

from __future__ import annotations

from wire.api import views
from wire.cluster.commands import Done, LeaveNode, RemoveNode
from wire.cluster.state import NodeName, State
from wire.cluster.voters import keeps_quorum
from wire.core.errors import RefusedError, RetryableError, WireError
from wire.node.calls import WELCOME, WHO, Addition, Change, Changed, Invitation, Transfer, Who
from wire.node.control import listing
from wire.node.control.asking import Asking, error_of
from wire.node.control.forwarding import Dial
from wire.node.membership.entering import let_in
from wire.raft import Member, MemberId, Rejected, Role, Unknown


class Changing:
    """Makes changes on the node that leads."""

    def __init__(self, asking: Asking, dial: Dial, cluster_id: str) -> None:
        """Be ready to reach newcomers by `dial`."""
        self._dial = dial
        self._asking = asking
        self._cluster_id = cluster_id

    async def add(self, addition: Addition) -> views.Member:
        """Let in the node that waits at an address, and tell it so. Asked again, what was broken off is finished."""
        await self._current()
        timeout_s, address = self._asking.timeout_s, addition.address
        async with self._dial(address, None) as client:
            try:
                present = await client.call(WHO, Who(), timeout_s=timeout_s)
            except WireError as exc:
                raise _nobody_waits(address, exc) from exc
            if present.cluster is not None:
                raise _has_cluster(present.member.name, address, present.cluster == self._cluster_id)
            joined = await let_in(self._asking.node, self._cluster_id, present.member)
            if joined.cluster is None:
                raise RetryableError("cluster.outcome_unknown", f"{present.member.name} is not let in yet", after_s=1.0)
            try:
                await client.call(WELCOME, Invitation(self._cluster_id), timeout_s=timeout_s)
            except WireError as exc:
                message = f"{present.member.name} is let in, and was not told so: {exc.message}"
                raise RetryableError("cluster.outcome_unknown", message, after_s=1.0, hint="ask again") from exc
        return listing.view(self._asking, present.member.id)

    async def remove(self, change: Change) -> Changed:
        """Remove a member at once, and forget the node. A leader hands over first: the next one is to be asked."""
        state = await self._current()
        member = listing.find(self._asking.node, change.id_)
        name = NodeName(member.name if member is not None else change.id_.partition("/")[0])
        if member is None and name not in state.nodes:
            raise listing.unknown(change.id_)
        if member is not None:
            self._require_quorum(member)
            require(await self._asking.node.remove_member(member.id, self._asking.timeout_s))
        # last, so that whoever asks again after a failure in between gets this far
        command = RemoveNode(at_ms=self._asking.now_ms(), actor=change.actor, name=name)
        await self._asking.carry_out(command, change.request_id, Done)
        return Changed()

    async def leave(self, change: Change) -> views.Member:
        """Have a node leave: the leader removes it when others have its work."""
        await self._current()
        node = self._asking.node
        member = listing.find(node, change.id_)
        if member is None:
            raise listing.unknown(change.id_)
        if len(node.members().members) == 1:
            message = f"{member.name} is the only node of its cluster, which would end with it"
            raise RefusedError("cluster.last_node", message, hint="stop it instead: started again, it goes on")
        heirs = [each for each in node.members().learners if each.id in listing.heard(node)]
        if node.members().voters != (member,) or not heirs:  # else another one is given its vote before it goes
            self._require_quorum(member)
        command = LeaveNode(at_ms=self._asking.now_ms(), actor=change.actor, name=NodeName(member.name))
        await self._asking.carry_out(command, change.request_id, Done)
        return listing.view(self._asking, member.id)

    async def transfer_leadership(self, transfer: Transfer) -> views.Cluster:
        """Hand leadership over, and return when another node leads, or if the one that is named does already."""
        self._require_leader()
        node = self._asking.node
        target: MemberId | None = None
        if transfer.to is not None:
            member = listing.find(node, transfer.to)
            if member is None:
                raise listing.unknown(transfer.to)
            target = member.id
        if target != node.me.id:
            require(await node.transfer_leadership(target, self._asking.timeout_s) or b"")
        return listing.cluster(self._asking, self._cluster_id)

    async def _current(self) -> State:
        """Return the state with all that was confirmed, on the leader only."""
        self._require_leader()
        return await self._asking.state("linearizable")

    def _require_leader(self) -> None:
        status = self._asking.node.status()
        if status.role is not Role.LEADER:
            raise RefusedError("raft.not_leader", f"{self._asking.node.me.name} does not lead")

    def _require_quorum(self, member: Member) -> None:
        """Refuse to do without a voter that is heard of where the others are too few; one that is not is no loss."""
        node = self._asking.node
        now, heard = node.members(), listing.heard(node)
        if now.voters == (member,):
            message = f"{member.name} is the only node that votes"
            hint = "let it leave while another node is there, which is given its vote first"
            raise RefusedError("cluster.quorum_at_risk", message, hint=hint)
        if member in now.voters and member.id in heard and not keeps_quorum(now, heard, member.id):
            silent = ", ".join(sorted(each.name for each in now.voters if each.id not in heard))
            message = f"without {member.name} too few voters would be left: nothing is heard of {silent}"
            hint = f"start {silent} again, or remove what will not come back first"
            raise RefusedError("cluster.quorum_at_risk", message, hint=hint)


def _nobody_waits(address: str, exc: WireError) -> RefusedError:
    if exc.code == "rpc.wrong_cluster":
        return _has_cluster("the node", address, False)
    hint = f"start one there with `wire serve --listen {address} --join` and an address of this cluster"
    return RefusedError("cluster.nobody_waits", f"no node waits at {address}: {exc.message}", hint=hint)


def _has_cluster(name: str, address: str, is_ours: bool) -> RefusedError:
    which = "this cluster" if is_ours else "another cluster"
    hint = None if is_ours else "only with an empty data folder can it join another one"
    return RefusedError("cluster.has_cluster", f"{name} at {address} belongs to {which} already", hint=hint)


def require(outcome: bytes | Rejected | Unknown) -> None:
    """Raise what a change of the members came to, unless it was made."""
    if isinstance(outcome, Unknown):
        hint = "look at the members before asking again"
        raise RetryableError("cluster.outcome_unknown", outcome.message, after_s=1.0, hint=hint)
    if isinstance(outcome, Rejected):
        raise error_of(outcome)
