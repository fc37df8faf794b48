"""How a node comes to belong to a cluster: it founds one, is let into one, or has been in one all along.

The id of a cluster follows from who founds it, so that founding can be broken off anywhere and done again. A node that
is told of others does not found one alone: it asks them, for as long as it takes.
"""

from __future__ import annotations

import random
import shutil
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from msgspec import Struct

from wire.cluster.machine import ClusterMachine
from wire.core.clock import Clock
from wire.core.config import Secret
from wire.core.errors import ConfigError, FatalError, Finding, RetryableError, WireError
from wire.node.calls import JOIN, Joined, Joining
from wire.node.control import listing
from wire.node.data_dir import DataDir, refused
from wire.node.membership.founding import cluster_of
from wire.node.membership.waiting import Trouble, Waiting
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import Us
from wire.raft import Configuration, Member, RaftNode, Rejected, Role, Unknown, found_cluster
from wire.raft.storage.files import make_folder
from wire.raft.threads import in_thread

log = structlog.get_logger()

_ATTEMPT_S: Final = 10.0
_RETRY_S: Final = 1.0
_BAD_TOKEN: Final = (
    "cluster.token_expired",
    "cluster.token_required",
    "cluster.token_used_up",
    "cluster.unknown_token",
)
_MAKE_ONE: Final = (
    "`wire cluster token create`, asked of the cluster, makes one; WIRE_JOIN_TOKEN or --join-token shows it"
)
_REFUSED: Final = ("raft.removed_member", "rpc.incompatible_protocol")


def found(data: DataDir, address: str, on_error: Callable[[Exception], None]) -> str:
    """Found a cluster of this node alone, and return its id. Blocking. What was broken off is done anew."""
    return _found(data, data.identity.incarnation, (Member(data.identity.member, address),), on_error)


def found_with(data: DataDir, founders: tuple[Member, ...], on_error: Callable[[Exception], None]) -> str:
    """Found the cluster of these, who have all agreed to it, and return its id. Blocking, and done anew like `found`.

    Each of them does so by itself, and they find each other afterwards.
    """
    return _found(data, cluster_of(founders), founders, on_error)


def _found(data: DataDir, cluster: str, founders: tuple[Member, ...], on_error: Callable[[Exception], None]) -> str:
    discard(data)
    try:
        make_folder(data.raft, 0o700)
    except OSError as exc:
        raise refused(data.path, exc) from exc
    found_cluster(data.raft, cluster, Configuration(voters=founders), ClusterMachine(on_error))
    data.found_cluster(cluster)
    log.info("cluster_founded", cluster=cluster, members=[each.id for each in founders])
    return cluster


def part(data: DataDir, *, left: bool) -> None:
    """Remember that the node is a member no more. Blocking. Raises FatalError unless it `left` as it was to."""
    data.leave_cluster("left" if left else "removed")
    if not left:
        raise data.gone()
    log.info("node_left", cluster=data.identity.cluster)


def begin_anew(data: DataDir) -> None:
    """Become somebody new, without what was founded of a cluster that came to nothing. Blocking."""
    discard(data)
    data.renew()


def discard(data: DataDir) -> None:
    """Remove what was left in a node's folder on its way into a cluster: nothing, if it is in one. Blocking."""
    if data.identity.cluster is not None:
        return
    try:
        shutil.rmtree(data.raft)
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise refused(data.path, exc) from exc


class Entrance(Struct, frozen=True):
    """What a node needs to get into a cluster: where it is reached, its token, and what to call others with."""

    address: str
    token: Secret | None
    tls: Callable[[], ssl.SSLContext] | None
    rng: random.Random


async def join(data: DataDir, entrance: Entrance, peers: Sequence[str], waiting: Waiting, clock: Clock) -> str:
    """Ask `peers` again and again until one lets us in, and return the cluster's id.

    Raises FatalError where they don't want us, ConfigError where they don't take our token, UnavailableError where
    certificates keep us from all of them.
    """
    while True:
        cluster, troubles = await ask_all(data, entrance, peers)
        if cluster is not None:
            return cluster
        waiting.tell("nobody has let it in", troubles)
        await clock.sleep(_RETRY_S)


async def ask_all(data: DataDir, entrance: Entrance, peers: Sequence[str]) -> tuple[str | None, dict[str, Trouble]]:
    """Ask `peers`, and whom they name, once; return the cluster that has let us in, or what each of them has said.

    Raises FatalError and ConfigError as `join` does.
    """
    waiting = list(peers)
    troubles: dict[str, Trouble] = {}
    for peer in waiting:
        try:
            joined = await _ask(data, entrance, peer)
        except WireError as exc:
            if exc.code in _BAD_TOKEN:
                raise ConfigError(
                    [Finding(code=exc.code, path="join_token", message=exc.message, hint=_MAKE_ONE)]
                ) from exc
            if exc.code in _REFUSED:
                raise
            troubles[peer] = exc
            continue
        if joined.cluster is not None:
            await in_thread(data.found_cluster, joined.cluster)
            log.info("cluster_joined", cluster=joined.cluster, through=peer)
            return joined.cluster, troubles
        troubles[peer] = "it does not lead the cluster" if joined.leader is not None else "nobody leads the cluster"
        if joined.leader is not None and joined.leader not in waiting:
            waiting.append(joined.leader)
    return None, troubles


async def _ask(data: DataDir, entrance: Entrance, peer: str) -> Joined:
    us, me = Us(data.identity.name), Member(data.identity.member, entrance.address)
    request = Joining(me, None if entrance.token is None else entrance.token.reveal())
    async with RpcClient(us, peer, tls=entrance.tls, rng=entrance.rng) as client:
        return await client.call(JOIN, request, timeout_s=_ATTEMPT_S)


async def _anybody() -> None:
    """Let in whoever has a certificate."""


async def let_in(
    node: RaftNode, cluster_id: str, newcomer: Member, may_join: Callable[[], Awaitable[None]] = _anybody
) -> Joined:
    """Answer a node that wants to join: the leader makes it a member without a vote, others say who leads.

    `may_join` raises where it may not; it is not asked about one that is a member already.

    One whose disk was lost takes the place of its older self, once nothing is heard of that. Raises RetryableError
    while the name is another's, FatalError for one that was removed.
    """
    if node.status().role is not Role.LEADER:
        leader = node.status().leader
        return Joined(leader=leader.address if leader is not None else None)
    older = _older_self(node, newcomer)
    if node.members().member(newcomer.id) is None:
        await may_join()
        older = _older_self(node, newcomer)  # who is there may be others by now
    if older is not None:
        removed = await node.remove_member(older.id, _ATTEMPT_S)  # first: its vote must never count again
        if isinstance(removed, Rejected | Unknown):
            return _not_yet(newcomer, removed)
        log.info("member_replaced", member=older.id, by=newcomer.id)
    outcome = await node.add_member(newcomer, _ATTEMPT_S)
    if isinstance(outcome, Rejected | Unknown):
        return _not_yet(newcomer, outcome)
    log.info("member_joined", member=newcomer.id, address=newcomer.address)
    return Joined(cluster=cluster_id)


def _older_self(node: RaftNode, newcomer: Member) -> Member | None:
    """Return the member whose place the newcomer takes, None if there is none. Raises where it may not come."""
    if newcomer.id in node.members().removed:
        hint = "start it with an empty data folder: it joins as somebody new"
        raise FatalError("raft.removed_member", f"{newcomer.name} was removed from the cluster", hint=hint)
    namesake = next((each for each in node.members().members if each.name == newcomer.name), None)
    if namesake is None or namesake.id == newcomer.id:
        return None
    if not _is_silent(node, namesake):
        hint = f"give it another name by --node-id; if the other one is gone, try again in {listing.SILENT_S:g} s"
        raise RetryableError("cluster.name_taken", f"there is a node {newcomer.name} already", hint=hint)
    return namesake


def _not_yet(newcomer: Member, outcome: Rejected | Unknown) -> Joined:
    log.info("join_not_done", member=newcomer.id, reason=outcome.message)
    return Joined()


def _is_silent(node: RaftNode, member: Member) -> bool:
    """Whether nothing was heard of a member for a while, as far as this leader knows."""
    return any(peer.id == member.id and peer.last_contact_s >= listing.SILENT_S for peer in node.status().peers)
