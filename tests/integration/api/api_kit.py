"""The API of a node, wired as in a node process: a real member of a cluster of its own, real files, the real state.

There are no workers: what they would tell the cluster, a test proposes itself. Every answer is held to the description.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from fastapi import FastAPI

from tests.integration.api.conformance import assert_described
from tests.services.ports import free_ports
from wire.api.app import ApiSettings, build_app
from wire.cluster import commands as c
from wire.cluster.encoding import decode_answer, encode
from wire.cluster.machine import ClusterMachine
from wire.cluster.state import JobId, NodeName, PipelineKey, TaskKey
from wire.core.clock import Clock, SystemClock
from wire.core.permissions import Permissions
from wire.core.records import Checkpoint, Fingerprint, PartitionId, PartitionKey, Position
from wire.core.uuids import Uuids
from wire.node.control.asking import Asking
from wire.node.control.gathering import Gathering
from wire.node.control.services import About, Sights, leader, services
from wire.node.control.submissions import Submissions
from wire.node.figures import COUNTED, FigureService, LocalFigures
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import listening
from wire.node.metrics.node import ConsensusReader, cluster_reader
from wire.node.metrics.requests import Requests
from wire.node.metrics.service import MetricsService
from wire.node.metrics.tally import Tally
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import ALPN as RPC
from wire.node.rpc.messages import Caller, Us
from wire.node.rpc.server import RpcServer
from wire.node.supervisor import Supervisor
from wire.node.tapping import LocalTaps, TapService
from wire.pipelines.engine.progress import Progress
from wire.raft import Configuration, Member, MemberId, RaftNode, RaftSettings, found_cluster
from wire.raft.transport.handshake import ALPN as RAFT
from wire.worker.protocol import Sample

CLUSTER = "test-cluster"
QUICK = RaftSettings(heartbeat_s=0.05, election_min_s=0.2, election_max_s=0.4)
STEADY = RaftSettings(heartbeat_s=0.05, election_min_s=2.0, election_max_s=4.0)
"""Several members on a machine that others use too: who leads goes on leading."""
YAML = {"content-type": "application/yaml"}
NOBODY = Permissions()


def spec(name: str = "a", **fields: Any) -> dict[str, Any]:
    """A pipeline that every node can check, whatever is installed."""
    return {"name": name, "source": {"type": "generate"}, "sink": {"type": "drop"}, **fields}


class NoWorkers:
    """What is asked of a supervisor, where no task runs. What one would have told of itself is for tests to say."""

    def __init__(self) -> None:
        self.told: list[tuple[PipelineKey, Progress | None]] = []

    async def tap(self, *_: Any) -> list[Sample]:
        return []

    def moving(self) -> list[tuple[PipelineKey, Progress | None]]:
        return self.told


@dataclass
class Served:
    """A node's API, and what is behind it."""

    client: httpx.AsyncClient
    app: FastAPI
    node: RaftNode
    machine: ClusterMachine
    rpc: RpcServer
    workers: NoWorkers

    async def create(self, name: str = "a", **fields: Any) -> dict[str, Any]:
        response = await self.client.post("/api/v1/pipelines", json=spec(name, **fields))
        assert response.status_code == 201, response.text
        return dict(response.json())

    async def propose(self, command: c.AnyCommand) -> c.Answer:
        outcome = await self.node.propose(encode(command))
        assert isinstance(outcome, bytes), outcome
        return decode_answer(outcome)

    async def run(self, pipeline: Mapping[str, Any], *partitions: str, node: str = "n1") -> int:
        """Do what workers do at the start of a job: find the partitions, deal them to one task, and start it."""
        keys = tuple(PartitionKey("generate", PartitionId(each)) for each in partitions)
        return (await self._deal(JobId(pipeline["job_id"]), (keys,), [node]))[0]

    async def spread(self, pipeline: Mapping[str, Any], *nodes: str) -> None:
        """Do as `run` does, with a task of one partition for each of these nodes."""
        shares = [(PartitionKey("generate", PartitionId(node)),) for node in nodes]
        await self._deal(JobId(pipeline["job_id"]), shares, nodes)

    async def _deal(self, job: JobId, shares: Sequence[tuple[PartitionKey, ...]], nodes: Sequence[str]) -> list[int]:
        for node in nodes:
            await self.propose(c.RegisterNode(at_ms=1, name=NodeName(node), incarnation="i", address="x:1", workers=1))
        epoch = await self._start(TaskKey(job, -1), nodes[0])
        found = tuple(key for share in shares for key in share)
        await self.propose(c.ReportPartitions(at_ms=1, job=job, epoch=epoch, partitions=found))
        await self.propose(c.DealShares(at_ms=1, job=job, if_shares_revision=0, shares=tuple(shares)))
        return [await self._start(TaskKey(job, slot), node) for slot, node in enumerate(nodes)]

    async def _start(self, key: TaskKey, node: str) -> int:
        await self.propose(c.AssignTasks(at_ms=1, moves=((key, NodeName(node)),)))
        answer = await self.propose(c.StartTasks(at_ms=1, node=NodeName(node), incarnation="i", tasks=(key,)))
        assert isinstance(answer, c.Started)
        assert answer.epochs[0] is not None
        return answer.epochs[0]

    async def commit(self, pipeline: Mapping[str, Any], epoch: int, seq: int, *partitions: str) -> None:
        checkpoint = Checkpoint(
            generation=pipeline["generation"], seq=seq, position=Position(b"p%d" % seq), source=Fingerprint(b"f")
        )
        rows = tuple((PartitionKey("generate", PartitionId(each)), checkpoint) for each in partitions)
        tasks = (c.TaskCheckpoints(TaskKey(JobId(pipeline["job_id"]), 0), epoch, rows),)
        answer = await self.propose(c.CommitCheckpoints(at_ms=1, tasks=tasks))
        assert answer == c.Committed((None,))


@contextlib.asynccontextmanager
async def serving(folder: Path, *, others: int = 0, founded: bool = False, **settings: Any) -> AsyncIterator[Served]:
    """A node that founds a cluster unless it has `founded` one, with so many others that are never there."""
    members = _members(1 + others)
    if not founded:
        _found(folder, members)
    async with _node(folder, members[0], **settings) as served:
        yield served


@contextlib.asynccontextmanager
async def serving_all(folder: Path, count: int) -> AsyncIterator[list[Served]]:
    """So many nodes of one cluster, that hear each other."""
    members = _members(count)
    async with contextlib.AsyncExitStack() as stack:
        nodes = []
        for member in members:
            _found(folder / member.name, members)
            node = await stack.enter_async_context(_node(folder / member.name, member, raft=STEADY))
            http = HttpServer(node.app)
            listener = await stack.enter_async_context(listening(member.address, http, tls=None))
            listener.hear(RAFT, node.node.transport.accept)
            listener.hear(RPC, node.rpc.accept)
            nodes.append(node)
        yield nodes


def _members(count: int) -> list[Member]:
    ports = free_ports(count)
    return [Member(MemberId(f"n{i}/i"), f"127.0.0.1:{port}") for i, port in enumerate(ports, 1)]


def _found(folder: Path, members: list[Member]) -> None:
    founders = Configuration(voters=tuple(sorted(members)))
    found_cluster(folder / "raft", CLUSTER, founders, ClusterMachine(on_error=_fail))


@contextlib.asynccontextmanager
async def _node(
    folder: Path,
    me: Member,
    *,
    permissions: Permissions = NOBODY,
    environ: Mapping[str, str] | None = None,
    max_body_bytes: int = 1 << 20,
    metrics_open: bool = False,
    timeout_s: float = 30.0,
    raft: RaftSettings = QUICK,
    tap_clock: Clock | None = None,
) -> AsyncIterator[Served]:
    clock, machine = SystemClock(), ClusterMachine(on_error=_fail)
    uuids, requests = Uuids(clock, os.urandom), Requests(clock)
    node = RaftNode(me, CLUSTER, folder / "raft", machine, tls=None, rng=random.Random(me.id), settings=raft)
    async with node, Submissions(permissions, environ or {}) as submissions:
        asking, us = Asking(node, machine, clock, timeout_s), Us(me.name, CLUSTER)

        def dial(address: str, name: str | None) -> RpcClient:
            return RpcClient(us, address, name=name, tls=None, rng=random.Random(me.id))

        forwarding, gathering = leader(asking, dial, clock, CLUSTER), Gathering(asking, dial)
        rpc = RpcServer(us, lambda caller: _is_member(node, caller), secure=False)
        forwarding.answer(rpc)
        workers = NoWorkers()
        nobody = cast(Supervisor, workers)
        counted = LocalFigures(Tally(lambda key: key in machine.state.pipelines), nobody, clock)
        rpc.handle(COUNTED, counted.answer)
        behind = services(
            asking,
            forwarding,
            submissions,
            uuids,
            clock,
            About(CLUSTER, "1.2.3"),
            Sights(
                MetricsService(ConsensusReader(node), cluster_reader(machine), requests.put_on),
                TapService(asking, gathering, LocalTaps(nobody), tap_clock or clock),
                FigureService(asking, gathering, counted),
            ),
        )
        settings = ApiSettings(
            version="1.2.3", served_by=me.name, max_body_bytes=max_body_bytes, metrics_open=metrics_open
        )
        app = build_app(behind, settings, uuids)
        counted = requests.around(app)
        hooks = {"response": [assert_described]}
        transport, base = httpx.ASGITransport(counted), f"http://{me.name}"
        async with httpx.AsyncClient(transport=transport, base_url=base, timeout=60, event_hooks=hooks) as client:
            yield Served(client, app, node, machine, rpc, workers)


def _is_member(node: RaftNode, caller: Caller) -> bool:
    return any(each.name == caller.name for each in node.members().members)


def _fail(exc: Exception) -> None:
    raise exc
