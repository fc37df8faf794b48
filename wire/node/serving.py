"""A node, put together: what `wire serve` runs, from its configuration to the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from msgspec import Struct

from wire.core.errors import ConfigError, Finding, root_cause
from wire.node.agent import Agent
from wire.node.calls import WHO, Who
from wire.node.data_dir import DataDir
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import listening
from wire.node.loading import Loaded
from wire.node.membership.entering import Entrance, discard, found, join, part
from wire.node.membership.founding import Standing
from wire.node.membership.inviting import Inviting
from wire.node.membership.together import Together, standing
from wire.node.membership.waiting import Waiting
from wire.node.node import Node, tell_of_fault
from wire.node.renewing import Renewing
from wire.node.rpc.messages import ALPN as RPC
from wire.node.rpc.messages import Caller
from wire.node.rpc.server import RpcServer
from wire.node.working import at_work
from wire.raft import Member, RaftNode, Role
from wire.raft.threads import in_thread

log = structlog.get_logger()

_HAND_OVER_S: Final = 5.0


class Ready(Struct, frozen=True):
    """A node that answers: where, and as what."""

    name: str
    addresses: tuple[str, ...]
    cluster: str
    secure: bool


async def serve(
    loaded: Loaded,
    data: DataDir,
    environ: Mapping[str, str],
    stop: asyncio.Event,
    ready: Callable[[Ready], None],
) -> None:
    """Be a node of this configuration until `stop` is set; then hand over what it does, within `drain_timeout`.

    `ready` is told once the node answers. Raises UnavailableError for what is not there, such as its address, and
    FatalError when it can't go on.
    """
    structlog.contextvars.bind_contextvars(node=data.identity.name)
    try:
        async with asyncio.TaskGroup() as tasks:
            node = await in_thread(Node, loaded, data, environ)
            watching = None if node.credentials is None else tasks.create_task(node.credentials.watch())
            stopping = tasks.create_task(stop.wait())
            serving = tasks.create_task(_serve(node, stop, ready))
            await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
            if not node.front.app and not serving.done():  # it still waits to be let in
                serving.cancel()
            await asyncio.wait({serving})
            for task in (stopping, watching):
                if task is not None:
                    task.cancel()
    except BaseExceptionGroup as group:
        raise root_cause(group) from group


async def _serve(node: Node, stop: asyncio.Event, ready: Callable[[Ready], None]) -> None:
    server = None if node.credentials is None else node.credentials.server
    http = HttpServer(node.front, clock=node.clock)
    async with listening(node.config.listen, http, tls=server, insecure=node.config.insecure) as listener:
        address = node.config.advertised(listener.addresses[0].rpartition(":")[2])
        rpc = RpcServer(node.us, node.is_member, secure=node.credentials is not None)
        _answer_strangers(rpc, node, address)
        listener.hear(RPC, rpc.accept)
        inviting = Inviting(node.data)
        if node.config.founders is None:  # who founds a cluster with others has promised to
            inviting.answer(rpc)
        node.us.cluster = await inviting.cluster(_cluster(node, address))
        me = Member(node.data.identity.member, address)
        async with at_work(node, me, listener, rpc, http) as (agent, renewing, raft):
            ready(Ready(node.us.name, listener.addresses, node.us.cluster, secure=node.credentials is not None))
            await _either(stop, node.removed)
            if not node.removed.is_set():
                log.info("node_stopping", tasks=agent.running)
                await _leave(node, agent, renewing, raft)
    if node.removed.is_set():
        await in_thread(part, node.data, left=node.is_leaving)
    log.info("node_stopped")


async def _either(first: asyncio.Event, second: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(each.wait()) for each in (first, second)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()


async def _cluster(node: Node, address: str) -> str:
    """Return the cluster this node belongs to, once it does."""
    config, data, identity = node.config, node.data, node.data.identity
    if identity.parted is not None:
        raise data.gone()
    if identity.cluster is not None:
        return identity.cluster
    if config.join and identity.agreed is None:  # a founding alone may have been broken off, with other flags
        await in_thread(discard, data)
    waiting = Waiting(node.front, node.clock)
    entrance = Entrance(address, config.join_token, node.tls, node.rng)
    if config.founders is not None:
        together = Together(
            data, entrance, config.join, config.founders, waiting=waiting, clock=node.clock, on_error=tell_of_fault
        )
        return await together.found_or_join()
    if identity.agreed is not None:  # F1: others may have founded a cluster with it
        others = ", ".join(each.address for each in identity.agreed if each.id != identity.member)
        message = f"this node has agreed to found a cluster of {len(identity.agreed)}, with {others}"
        hint = f"name them with --join and --bootstrap-expect {len(identity.agreed)}, or empty {data.path}"
        raise ConfigError([Finding(code="node.founding", path="bootstrap_expect", message=message, hint=hint)])
    if not config.join:
        return await in_thread(found, data, address, tell_of_fault)
    return await join(data, entrance, config.join, waiting, node.clock)


def _answer_strangers(rpc: RpcServer, node: Node, address: str) -> None:
    """Say who this node is to whoever wants to found a cluster, or looks for one."""

    async def who(_request: Who, _caller: Caller) -> Standing:
        return standing(node.data, address, node.config.founders)

    rpc.handle(WHO, who)


async def _leave(node: Node, agent: Agent, renewing: Renewing, raft: RaftNode) -> None:
    """Hand over tasks, then leadership, then the lease. What is not done in time is left to the others to notice."""
    limit_s = node.config.drain_timeout.s
    try:
        async with asyncio.timeout(limit_s):
            await agent.leave(node.hand_over_s)
            if raft.status().role is Role.LEADER and len(raft.members().voters) > 1:
                rejected = await raft.transfer_leadership(None, min(limit_s, _HAND_OVER_S))
                if rejected is not None:
                    log.warning("leadership_not_handed_over", code=rejected.code, reason=rejected.message)
            await renewing.give_up(min(limit_s, _HAND_OVER_S))
    except TimeoutError:
        log.warning("not_all_handed_over", after_s=limit_s)
