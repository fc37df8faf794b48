"""How a node comes to belong to a cluster: it founds one, is let into one, or has been in one all along.

A cluster has the incarnation of its founder as its id, so that founding can be broken off anywhere and done again. A
node that is told of others never founds one: it asks them, for as long as it takes.
"""

from __future__ import annotations

import random
import shutil
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from wire.cluster.machine import ClusterMachine
from wire.core.clock import Clock
from wire.core.errors import FatalError, RetryableError, UnavailableError, WireError
from wire.node.calls import JOIN, Joined, Joining
from wire.node.data_dir import DataDir
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import Us
from wire.raft import Configuration, Member, RaftNode, Rejected, Role, Unknown, found_cluster
from wire.raft.threads import in_thread

log = structlog.get_logger()

_ATTEMPT_S: Final = 10.0
_RETRY_S: Final = 1.0
_SILENT_S: Final = 5.0  # several elections would have been over by then
_REFUSED: Final = ("raft.removed_member", "rpc.wrong_certificate", "rpc.incompatible_protocol")


def found(data: DataDir, address: str, on_error: Callable[[Exception], None]) -> str:
    """Found a cluster of this node alone, and return its id. Blocking. What was broken off is done anew."""
    cluster, folder = data.identity.incarnation, data.raft
    if not folder.exists():
        unfinished = Path(f"{folder}~")
        shutil.rmtree(unfinished, ignore_errors=True)
        founders = Configuration(voters=(Member(data.identity.member, address),))
        try:
            unfinished.mkdir(mode=0o700)
            found_cluster(unfinished, cluster, founders, ClusterMachine(on_error))
            unfinished.rename(folder)
        except OSError as exc:
            message = f"the data folder {data.path} can't be used: {(exc.strerror or str(exc)).lower()}"
            hint = "check the path, its permissions and the disk"
            raise UnavailableError("node.data_refused", message, hint=hint) from exc
    data.found_cluster(cluster)
    log.info("cluster_founded", cluster=cluster)
    return cluster


def part(data: DataDir, *, left: bool) -> None:
    """Remember that the node is a member no more. Blocking. Raises FatalError unless it `left` as it was to."""
    data.leave_cluster("left" if left else "removed")
    if not left:
        raise data.gone()
    log.info("node_left", cluster=data.identity.cluster)


async def join(
    data: DataDir,
    address: str,
    peers: Sequence[str],
    *,
    tls: Callable[[], ssl.SSLContext] | None,
    clock: Clock,
    rng: random.Random,
) -> str:
    """Ask `peers`, one after the other and again, until one lets us in, and return the cluster's id.

    Raises FatalError where they don't want us.
    """
    us, me = Us(data.identity.name), Member(data.identity.member, address)
    told = ""
    while True:
        waiting = list(peers)
        for peer in waiting:
            try:
                joined = await _ask(us, me, peer, tls, rng)
            except WireError as exc:
                if exc.code in _REFUSED:
                    raise
                reason = f"{peer}: {exc.message}"
                if reason != told:
                    log.warning("join_waits", peer=peer, code=exc.code, reason=exc.message)
                told = reason
                continue
            if joined.cluster is not None:
                await in_thread(data.found_cluster, joined.cluster)
                log.info("cluster_joined", cluster=joined.cluster, through=peer)
                return joined.cluster
            if joined.leader is not None and joined.leader not in waiting:
                waiting.append(joined.leader)
        await clock.sleep(_RETRY_S)


async def _ask(us: Us, me: Member, peer: str, tls: Callable[[], ssl.SSLContext] | None, rng: random.Random) -> Joined:
    async with RpcClient(us, peer, tls=tls, rng=rng) as client:
        return await client.call(JOIN, Joining(me), timeout_s=_ATTEMPT_S)


async def let_in(node: RaftNode, cluster_id: str, newcomer: Member) -> Joined:
    """Answer a node that wants to join: the leader makes it a member without a vote, others say who leads.

    One whose disk was lost takes the place of its older self, once nothing is heard of that. Raises RetryableError
    while the name is another's, FatalError for one that was removed.
    """
    if node.status().role is not Role.LEADER:
        leader = node.status().leader
        return Joined(leader=leader.address if leader is not None else None)
    namesake = next((each for each in node.members().members if each.name == newcomer.name), None)
    if newcomer.id in node.members().removed:
        hint = "start it with an empty data folder: it joins as somebody new"
        raise FatalError("raft.removed_member", f"{newcomer.name} was removed from the cluster", hint=hint)
    if namesake is not None and namesake.id != newcomer.id:
        if not _is_silent(node, namesake):
            hint = f"give it another name by --node-id; if the other one is gone, try again in {_SILENT_S:g} s"
            raise RetryableError("cluster.name_taken", f"there is a node {newcomer.name} already", hint=hint)
        removed = await node.remove_member(namesake.id, _ATTEMPT_S)  # first: its vote must never count again
        if isinstance(removed, Rejected | Unknown):
            return _not_yet(newcomer, removed)
        log.info("member_replaced", member=namesake.id, by=newcomer.id)
    outcome = await node.add_member(newcomer, _ATTEMPT_S)
    if isinstance(outcome, Rejected | Unknown):
        return _not_yet(newcomer, outcome)
    log.info("member_joined", member=newcomer.id, address=newcomer.address)
    return Joined(cluster=cluster_id)


def _not_yet(newcomer: Member, outcome: Rejected | Unknown) -> Joined:
    log.info("join_not_done", member=newcomer.id, reason=outcome.message)
    return Joined()


def _is_silent(node: RaftNode, member: Member) -> bool:
    """Whether nothing was heard of a member for a while, as far as this leader knows."""
    return any(peer.id == member.id and peer.last_contact_s >= _SILENT_S for peer in node.status().peers)
