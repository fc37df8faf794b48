"""A node at work: consensus, leading where that is asked for, workers, and what answers; put together here."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from functools import partial

import structlog

from wire import __version__
from wire.api.app import ApiSettings, build_app
from wire.cluster.commands import Answer, AnyCommand, RegisterNode
from wire.cluster.encoding import NEWEST
from wire.cluster.scheduler import SchedulerSettings
from wire.cluster.state import NodeName
from wire.core.errors import FatalError
from wire.node.agent import Agent
from wire.node.calls import GIVE_UP, JOIN, RENEW, Joined, Joining, Renewal, Renewed
from wire.node.control.asking import Asking
from wire.node.control.gathering import Gathering
from wire.node.control.services import About, Sights, leader, services
from wire.node.control.submissions import Submissions
from wire.node.control.tokens import TokenService
from wire.node.figures import COUNTED, FigureService, LocalFigures
from wire.node.leading import Leading
from wire.node.leases import LEASE_MS, OwnLease
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import Listener
from wire.node.membership.entering import let_in
from wire.node.membership.seeking import Seeking
from wire.node.metrics.node import (
    ConsensusReader,
    build_reader,
    certificate_reader,
    cluster_reader,
    connections_reader,
    work_reader,
)
from wire.node.metrics.requests import Requests
from wire.node.metrics.service import LoopWatch, MetricsService, Reader
from wire.node.metrics.tally import Tally
from wire.node.node import Node
from wire.node.reconciling import moves_tasks
from wire.node.registering import stay_registered
from wire.node.renewing import Renewing
from wire.node.rpc.messages import Caller
from wire.node.rpc.server import RpcServer
from wire.node.supervisor import Supervisor
from wire.node.tapping import TAP, LocalTaps, TapService
from wire.raft import Event, LeaderChanged, Member, MemberRemoved, RaftNode, RaftSettings
from wire.raft.transport.handshake import ALPN as RAFT

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def at_work(
    node: Node, me: Member, listener: Listener, rpc: RpcServer, http: HttpServer
) -> AsyncIterator[tuple[Agent, Renewing, RaftNode]]:
    """Take part: in consensus, in leading where that is asked for, and with workers of its own."""
    cluster = str(node.us.cluster)
    dialing = None if node.credentials is None else node.credentials.current.raft
    consensus = RaftSettings(
        snapshot_interval_s=node.config.snapshot_interval.s, compress_segments=node.config.log_compression == "zstd"
    )
    raft = node.raft = RaftNode(
        me, cluster, node.data.raft, node.machine, tls=dialing, rng=node.rng, settings=consensus
    )
    async with raft, Submissions(node.workers.permissions, node.environ) as submissions:
        listener.hear(RAFT, raft.transport.accept)
        asking = Asking(raft, node.machine, node.clock)
        forwarding = leader(asking, node.dial, node.clock, cluster)
        lease = OwnLease()
        agent = Agent(node.data.identity, asking, lease, node.clock, node.uuids, node.hand_over_s)
        scheduling = SchedulerSettings(lease_ms=LEASE_MS, grace_ms=round(node.config.version_grace.ms))
        leading = Leading(asking, node.dismissing(asking), node.clock, scheduling, node.config.max_voters)
        renewing = Renewing(
            node.us, raft, leading, lease, tls=node.tls, renewed=agent.wake, clock=node.clock, rng=node.rng
        )
        _answer(rpc, node, raft, leading, TokenService(asking))
        forwarding.answer(rpc)
        _wake(node, raft, agent, leading)
        tally = Tally(lambda key: key in node.machine.state.pipelines)
        jitter = random.Random(node.rng.random())  # noqa: S311
        supervisor = Supervisor(agent, node.workers, node.clock, jitter, tally.over)
        agent.use(supervisor)
        watch, requests = LoopWatch(), Requests(node.clock)
        metrics = MetricsService(
            *_readers(node, raft, http, listener, rpc),
            work_reader(supervisor, agent, leading, lease, renewing),
            watch.put_on,
            requests.put_on,
            lambda sheet: tally.put_on(sheet, supervisor.moving()),
        )
        taps, figures = _gathered(rpc, node, asking, supervisor, tally)
        about, sights = About(cluster, __version__), Sights(metrics, taps, figures)
        behind = services(asking, forwarding, submissions, node.uuids, node.clock, about, sights)
        async with supervisor.running(), asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(work)
                for work in (
                    leading.run(),
                    renewing.run(supervisor.able),
                    agent.run(),
                    watch.run(),
                    Seeking(raft, node.config.join, node.us, node.dial, node.clock).run(),
                    stay_registered(asking, node.clock, partial(_registration, node, me, asking)),
                )
            ]
            serving = ApiSettings(version=__version__, served_by=me.name, metrics_open=node.config.metrics_open)
            node.front.app = requests.around(build_app(behind, serving, node.uuids))
            try:
                yield agent, renewing, raft
            finally:
                for task in running:
                    task.cancel()


def _readers(node: Node, raft: RaftNode, http: HttpServer, listener: Listener, rpc: RpcServer) -> Iterator[Reader]:
    """Return what tells of the node itself."""
    yield ConsensusReader(raft)
    yield cluster_reader(node.machine)
    yield connections_reader(http, listener.counters, rpc.counters)
    yield build_reader(__version__, node.us.name)
    if node.credentials is not None:
        yield certificate_reader(node.credentials)


def _gathered(
    rpc: RpcServer, node: Node, asking: Asking, supervisor: Supervisor, tally: Tally
) -> tuple[TapService, FigureService]:
    """Return what asks all nodes that run a pipeline's tasks, and have this one answer others that do."""
    gathering, passing = Gathering(asking, node.dial), LocalTaps(supervisor)
    counted = LocalFigures(tally, supervisor, node.clock)
    rpc.handle(TAP, passing.answer)
    rpc.handle(COUNTED, counted.answer)
    return TapService(asking, gathering, passing, node.clock), FigureService(asking, gathering, counted)


def _answer(rpc: RpcServer, node: Node, raft: RaftNode, leading: Leading, tokens: TokenService) -> None:
    """Answer what other nodes ask for."""

    async def renew(request: Renewal, caller: Caller) -> Renewed:
        _require_own(request.member, caller)
        leading.renew(request.member)
        leading.look_for(request.moved)
        return Renewed()

    async def give_up(request: Renewal, caller: Caller) -> Renewed:
        _require_own(request.member, caller)
        leading.give_up(request.member)
        return Renewed()

    async def joined(request: Joining, caller: Caller) -> Joined:
        _require_own(request.member, caller)

        async def may_join() -> None:
            if request.token is not None or node.config.join_requires == "token":
                await tokens.use(request.token, request.member)

        return await let_in(raft, str(node.us.cluster), request.member, may_join)

    rpc.handle(RENEW, renew)
    rpc.handle(GIVE_UP, give_up)
    rpc.handle(JOIN, joined)


def _require_own(member: Member, caller: Caller) -> None:
    if member.name != caller.name:
        raise FatalError("rpc.refused", f"{caller.name} speaks for {member.name}")


def _wake(node: Node, raft: RaftNode, agent: Agent, leading: Leading) -> None:
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
            node.removed.set()
        both()

    node.machine.listen(applied, restored)
    raft.listen(heard)


def _registration(node: Node, me: Member, asking: Asking) -> RegisterNode:
    return RegisterNode(
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
