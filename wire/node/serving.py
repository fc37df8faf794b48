"""A node, put together: what `wire serve` runs, from its configuration to the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import structlog
from msgspec import Struct

from wire import __version__
from wire.api.app import ApiSettings, build_app
from wire.cluster.commands import Answer, AnyCommand, Done, RegisterNode
from wire.cluster.encoding import NEWEST
from wire.cluster.machine import ClusterMachine
from wire.cluster.scheduler import SchedulerSettings
from wire.cluster.state import NodeName
from wire.core.clock import SystemClock
from wire.core.errors import FatalError, RetryableError, UnavailableError, root_cause
from wire.core.permissions import Permissions
from wire.core.units import Duration
from wire.core.uuids import Uuids
from wire.node.agent import Agent
from wire.node.calls import GIVE_UP, JOIN, RENEW, Joined, Joining, Renewal, Renewed
from wire.node.config import NodeConfig
from wire.node.control.asking import Asking
from wire.node.control.services import services
from wire.node.control.submissions import Submissions
from wire.node.credentials import Contexts, Credentials
from wire.node.data_dir import DataDir
from wire.node.entering import RAFT_FOLDER, found, join, let_in
from wire.node.front import Front
from wire.node.leading import Leading
from wire.node.leases import LEASE_MS, OwnLease
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import Listener, listening
from wire.node.reconciling import moves_tasks
from wire.node.renewing import Renewing
from wire.node.rpc.messages import ALPN as RPC
from wire.node.rpc.messages import Caller, Us
from wire.node.rpc.server import RpcServer
from wire.node.supervisor import Supervisor, WorkerSettings
from wire.raft import Event, LeaderChanged, Member, MemberRemoved, RaftNode, Role
from wire.raft.threads import in_thread
from wire.raft.transport.handshake import ALPN as RAFT

log = structlog.get_logger()

_RETRY_S: Final = 1.0
_HAND_OVER_S: Final = 5.0
_ORPHANED: Final = (
    0.6  # of a lease: a quarter of it may have passed when a node stands still, and workers count coarsely
)
_HANDED_OVER: Final = 0.8  # of the time a node has to stop, for its tasks; the rest is for leadership and connections


class Ready(Struct, frozen=True):
    """A node that answers: where, and as what."""

    name: str
    addresses: tuple[str, ...]
    cluster: str
    secure: bool


class Node:
    """A node at work, inside `serving`."""

    def __init__(self, config: NodeConfig, data: DataDir, environ: Mapping[str, str]) -> None:
        """Prepare; nothing is opened yet."""
        self.config = config
        self.data = data
        self.us = Us(data.identity.name, data.identity.cluster)
        self.clock = SystemClock()
        self.rng = random.SystemRandom()
        self.uuids = Uuids(self.clock, os.urandom)
        self.front = Front()
        self.machine = ClusterMachine(_tell_of_fault)
        self.permissions = _permissions(config)
        self.environ = environ
        self.raft: RaftNode | None = None
        self.credentials = (
            Credentials(config.tls, data.identity.name, renewed=self._renewed) if config.tls is not None else None
        )

    @property
    def tls(self) -> Callable[[], ssl.SSLContext] | None:
        """What to call other nodes with."""
        return None if self.credentials is None else self.credentials.rpc

    def _renewed(self, contexts: Contexts) -> None:
        if self.raft is not None:
            self.raft.transport.renew(contexts.raft)

    def is_member(self, caller: Caller) -> bool:
        """Whether who calls belongs to this cluster."""
        if self.raft is None or caller.cluster != self.us.cluster:
            return False
        return any(each.name == caller.name for each in self.raft.members().members)


async def serve(
    config: NodeConfig,
    data: DataDir,
    environ: Mapping[str, str],
    stop: asyncio.Event,
    ready: Callable[[Ready], None],
) -> None:
    """Be a node until `stop` is set; then hand over what it does, within `drain_timeout`.

    `ready` is told once the node answers. Raises UnavailableError for what is not there, such as its address, and
    FatalError when it can't go on.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            node = await in_thread(Node, config, data, environ)
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
        me = Member(node.data.identity.member, node.config.advertised)
        rpc = RpcServer(node.us, node.is_member, secure=node.credentials is not None)
        listener.hear(RPC, rpc.accept)
        node.us.cluster = await _cluster(node, me)
        async with _at_work(node, me, listener, rpc) as (agent, renewing, raft):
            ready(Ready(node.us.name, listener.addresses, node.us.cluster, secure=node.credentials is not None))
            await stop.wait()
            log.info("node_stopping", tasks=agent.running)
            await _leave(node, agent, renewing, raft)
    log.info("node_stopped")


async def _cluster(node: Node, me: Member) -> str:
    """Return the cluster this node belongs to, once it does."""
    cluster = node.data.identity.cluster
    if cluster is not None:
        return cluster
    if (node.config.bootstrap_expect or 1) > 1:
        hint = "start one node without --join and --bootstrap-expect, and the others with --join and its address"
        raise UnavailableError("node.founding", "several nodes can't found a cluster together yet", hint=hint)
    if not node.config.join:
        return await in_thread(found, node.data, me.address, _tell_of_fault)
    return await join(node.data, me.address, node.config.join, tls=node.tls, clock=node.clock, rng=node.rng)


@contextlib.asynccontextmanager
async def _at_work(
    node: Node, me: Member, listener: Listener, rpc: RpcServer
) -> AsyncIterator[tuple[Agent, Renewing, RaftNode]]:
    """Take part: in consensus, in leading where that is asked for, and with workers of its own."""
    cluster = str(node.us.cluster)
    dialing = None if node.credentials is None else node.credentials.current.raft
    raft = node.raft = RaftNode(me, cluster, node.data.path / RAFT_FOLDER, node.machine, tls=dialing, rng=node.rng)
    async with raft, Submissions(node.permissions, node.environ) as submissions:
        listener.hear(RAFT, raft.transport.accept)
        asking = Asking(raft, node.machine, node.clock)
        behind = services(
            asking, submissions, node.uuids, node.clock, cluster_id=cluster, release=__version__
        )  # fmt: skip
        lease = OwnLease()
        agent = Agent(
            node.data.identity, asking, lease, node.clock, node.uuids, node.config.drain_timeout.s * _HANDED_OVER
        )
        leading = Leading(asking, node.clock, SchedulerSettings(lease_ms=LEASE_MS), node.config.max_voters)
        renewing = Renewing(
            node.us, raft, leading, lease, tls=node.tls, renewed=agent.wake, clock=node.clock, rng=node.rng
        )
        _answer(rpc, node, raft, leading)
        _wake(node.machine, raft, agent, leading)
        settings = worker_settings(node.config)
        supervisor = Supervisor(agent, settings, node.clock, random.Random(node.rng.random()))  # noqa: S311 (jitter)
        agent.use(supervisor)
        async with supervisor.running(), asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(work)
                for work in (leading.run(), renewing.run(supervisor.able), agent.run(), _register(node, me, asking))
            ]
            node.front.app = build_app(behind, ApiSettings(version=__version__, served_by=me.name), node.uuids)
            try:
                yield agent, renewing, raft
            finally:
                for task in running:
                    task.cancel()


def _answer(rpc: RpcServer, node: Node, raft: RaftNode, leading: Leading) -> None:
    """Answer what other nodes ask for."""

    async def renew(request: Renewal, caller: Caller) -> Renewed:
        _require_own(request.member, caller)
        leading.renew(request.member)
        return Renewed()

    async def give_up(request: Renewal, caller: Caller) -> Renewed:
        _require_own(request.member, caller)
        leading.give_up(request.member)
        return Renewed()

    async def joined(request: Joining, caller: Caller) -> Joined:
        _require_own(request.member, caller)
        return await let_in(raft, str(node.us.cluster), request.member)

    rpc.handle(RENEW, renew)
    rpc.handle(GIVE_UP, give_up)
    rpc.handle(JOIN, joined)


def _require_own(member: Member, caller: Caller) -> None:
    if member.name != caller.name:
        raise FatalError("rpc.refused", f"{caller.name} speaks for {member.name}")


def _wake(machine: ClusterMachine, raft: RaftNode, agent: Agent, leading: Leading) -> None:
    """Have the agent and the leader look again when something has changed that concerns them."""
    loop = asyncio.get_running_loop()

    def both() -> None:
        agent.wake()
        leading.wake()

    def applied(_index: int, command: AnyCommand, answer: Answer) -> None:
        if moves_tasks(command, answer):
            both()

    def restored() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(both)

    def heard(event: Event) -> None:
        if isinstance(event, LeaderChanged):
            log.info("leader_changed", leader=event.leader, term=event.term)
        elif isinstance(event, MemberRemoved):
            log.warning("node_removed", hint="with an empty data folder it can join anew")
        both()

    machine.listen(applied, restored)
    raft.listen(heard)


async def _register(node: Node, me: Member, asking: Asking) -> None:
    """Tell the cluster what this node is, if it does not know. Raises RefusedError if it is too old for it."""
    command = RegisterNode(
        at_ms=asking.now_ms(),
        actor=me.name,
        name=NodeName(me.name),
        incarnation=node.data.identity.incarnation,
        address=me.address,
        workers=node.config.worker_count,
        labels=dict(node.config.labels),
        release=__version__,
        newest_command=NEWEST,
    )
    while True:
        try:
            await asking.carry_out(command, b"", Done)
        except RetryableError as exc:
            log.debug("registration_waits", code=exc.code, reason=exc.message)
            await node.clock.sleep(_RETRY_S)
        else:
            return


async def _leave(node: Node, agent: Agent, renewing: Renewing, raft: RaftNode) -> None:
    """Hand over tasks, then leadership, then the lease. What is not done in time is left to the others to notice."""
    limit_s = node.config.drain_timeout.s
    try:
        async with asyncio.timeout(limit_s):
            await agent.leave(limit_s * _HANDED_OVER)
            if raft.status().role is Role.LEADER and len(raft.members().voters) > 1:
                rejected = await raft.transfer_leadership(None, min(limit_s, _HAND_OVER_S))
                if rejected is not None:
                    log.warning("leadership_not_handed_over", code=rejected.code, reason=rejected.message)
            await renewing.give_up(min(limit_s, _HAND_OVER_S))
    except TimeoutError:
        log.warning("not_all_handed_over", after_s=limit_s)


def worker_settings(config: NodeConfig) -> WorkerSettings:
    """Return how the node's workers are kept: without it they end while its lease still holds."""
    return WorkerSettings(
        count=config.worker_count, permissions=_permissions(config), orphaned_after=Duration(_ORPHANED * LEASE_MS)
    )


def _permissions(config: NodeConfig) -> Permissions:
    """Return what pipelines may reach here: what the operator named, and never what is the node's own."""
    tls = config.tls
    own = () if tls is None else tuple(str(path.resolve()) for path in (tls.cert, tls.key) if path is not None)
    return Permissions(
        python=tuple(config.allow_python),
        paths=tuple(config.allow_paths),
        env=tuple(config.allow_env),
        protected=(str(config.folder.resolve()), *own),
    )


def _tell_of_fault(exc: Exception) -> None:
    log.error("listener_failed", error=repr(exc))
