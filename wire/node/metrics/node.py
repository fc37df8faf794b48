"""Readers of what the parts of a node have counted."""

from __future__ import annotations

import platform
from typing import Final

from wire.cluster.machine import ClusterMachine
from wire.node.agent import Agent
from wire.node.credentials import Credentials
from wire.node.leading import Leading
from wire.node.leases import OwnLease, awake
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import ListenerCounters
from wire.node.metrics import declarations as m
from wire.node.metrics.service import Reader
from wire.node.metrics.sheet import Sheet
from wire.node.renewing import Renewing
from wire.node.rpc.settings import RpcCounters
from wire.node.supervisor import Supervisor
from wire.raft import Event, LeaderChanged, RaftNode, Role

_DAY_S: Final = 86_400.0


class ConsensusReader:
    """What a member of the cluster is and has counted."""

    def __init__(self, node: RaftNode) -> None:
        """Listen to a member."""
        self._node = node
        self._leader_changes = 0
        node.listen(self._heard)

    def _heard(self, event: Event) -> None:
        self._leader_changes += isinstance(event, LeaderChanged) and event.leader is not None

    def __call__(self, sheet: Sheet) -> None:
        """Put it down."""
        status, figures, members = self._node.status(), self._node.figures, self._node.members()
        for role in Role:
            sheet.put(m.RAFT_ROLE, status.role is role, role.value)
        sheet.put(m.RAFT_TERM, status.term)
        sheet.put(m.RAFT_COMMIT, status.commit)
        sheet.put(m.RAFT_APPLIED, status.applied)
        sheet.put(m.RAFT_LOG_ENTRIES, status.log_last - status.log_first)
        sheet.put(m.RAFT_LOG_BYTES, self._node.log_bytes)
        sheet.put(m.RAFT_MEMBERS, len(members.voters), "yes")
        sheet.put(m.RAFT_MEMBERS, len(members.members) - len(members.voters), "no")
        sheet.put(m.RAFT_TROUBLE, self._node.trouble is not None)
        sheet.put(m.RAFT_LEADER_CHANGES, self._leader_changes)
        sheet.put(m.RAFT_SYNCS, figures.syncs)
        sheet.put(m.RAFT_PROPOSALS, figures.proposals)
        sheet.put(m.RAFT_APPLIES, figures.applies)
        sheet.put(m.RAFT_DROPPED, status.dropped)
        sheet.put(m.RAFT_SENT_BYTES, status.transport.sent_bytes)
        sheet.put(m.RAFT_RECEIVED_BYTES, status.transport.received_bytes)
        sheet.put(m.RAFT_UNREACHABLE, status.transport.unreachable)
        for code, count in status.transport.refused.items():
            sheet.put(m.RAFT_REFUSED, count, code)
        for code, count in status.transport.refusals.items():
            sheet.put(m.RAFT_REFUSALS, count, code)


def cluster_reader(machine: ClusterMachine) -> Reader:
    """Return what tells of the state: only what can be told without going through it."""

    def read(sheet: Sheet) -> None:
        state = machine.state
        sheet.put(m.PIPELINES, len(state.pipelines))
        sheet.put(m.NODES, len(state.nodes))
        sheet.put(m.CLUSTER_TASKS, len(state.tasks))

    return read


def work_reader(supervisor: Supervisor, agent: Agent, leading: Leading, lease: OwnLease, renewing: Renewing) -> Reader:
    """Return what tells of workers, leases and decisions."""

    def read(sheet: Sheet) -> None:
        for worker in supervisor.workers():
            number = str(worker.number)
            sheet.put(m.WORKER_UP, worker.pid is not None, number)
            sheet.put(m.WORKER_RESTARTS, worker.losses, number)
            sheet.put(m.WORKER_TASKS, worker.tasks, number)
            sheet.put(m.WORKER_MEMORY, worker.rss_bytes, number)
            sheet.put(m.WORKER_CPU, worker.cpu_s, number)
            sheet.put(m.WORKER_DELAY, worker.delay_s, number)
        sheet.put(m.LEASE, lease.left_ms(awake()) / 1000)
        sheet.put(m.LEASES_LOST, agent.leases_lost)
        sheet.put(m.RENEWALS, renewing.delays)
        sheet.put(m.DECISIONS, leading.decisions)
        held = leading.held()
        if held is not None:
            sheet.put(m.LEASES_HELD, held)
            sheet.put(m.UNPLACED, leading.unplaced)

    return read


def connections_reader(http: HttpServer, port: ListenerCounters, counters: RpcCounters) -> Reader:
    """Return what tells of the port, of clients, and of the calls of other nodes that this one has answered."""

    def read(sheet: Sheet) -> None:
        for protocol, count in port.accepted.items():
            sheet.put(m.PORT_CONNECTIONS, count, protocol)
        for code, count in port.refused.items():
            sheet.put(m.PORT_REFUSED, count, code)
        sheet.put(m.HTTP_CONNECTIONS, http.connections)
        for method, timings in counters.answered.items():
            sheet.put(m.RPC_REQUESTS, timings, method)
        for code, count in counters.failures.items():
            sheet.put(m.RPC_FAILURES, count, code)
        for code, count in counters.refused.items():
            sheet.put(m.RPC_REFUSED, count, code)

    return read


def certificate_reader(credentials: Credentials) -> Reader:
    """Return what tells how long the node's certificate is good."""

    def read(sheet: Sheet) -> None:
        sheet.put(m.CERTIFICATE_EXPIRES, credentials.current.validity.ends.timestamp())
        sheet.put(m.CERTIFICATE_LEFT, credentials.days_left * _DAY_S)

    return read


def build_reader(release: str, name: str) -> Reader:
    """Return what tells which release runs."""
    return lambda sheet: sheet.put(m.BUILD, 1, release, platform.python_version(), name)
