"""What a node is, whatever it does at the moment: its configuration, its folder, its certificate, its members."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import structlog

from wire.cluster.machine import ClusterMachine
from wire.cluster.state import NodeName
from wire.core.clock import SystemClock
from wire.core.permissions import Permissions
from wire.core.units import Duration
from wire.core.uuids import Uuids
from wire.node.control.asking import Asking
from wire.node.credentials import Contexts, Credentials
from wire.node.data_dir import DataDir
from wire.node.front import Front
from wire.node.leases import LEASE_MS
from wire.node.loading import Loaded
from wire.node.membership.dismissing import Dismissing
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import Caller, Us
from wire.node.supervisor import WorkerSettings
from wire.raft import RaftNode

log = structlog.get_logger()

_HANDED_OVER: Final = 0.8
_ORPHANED: Final = 0.6
"""Of a lease: a quarter of it may have passed when a node stands still, and workers count coarsely."""


class Node:
    """A node at work, inside `serving`."""

    def __init__(self, loaded: Loaded, data: DataDir, environ: Mapping[str, str]) -> None:
        """Prepare; nothing is opened yet."""
        self.config = config = loaded.config
        self.data = data
        self.us = Us(data.identity.name, data.identity.cluster)
        self.clock = SystemClock()
        self.rng = random.SystemRandom()
        self.uuids = Uuids(self.clock, os.urandom)
        self.front = Front()
        self.machine = ClusterMachine(tell_of_fault)
        self.workers = worker_settings(loaded)
        self.environ = environ
        self.raft: RaftNode | None = None
        self.removed = asyncio.Event()
        """Set when this node has learned that it is a member no more."""
        self.credentials = (
            Credentials(config.tls, data.identity.name, renewed=self._renewed) if config.tls is not None else None
        )

    @property
    def hand_over_s(self) -> float:
        """How long its tasks have when it stops; the rest of the time is for leadership and connections."""
        return self.config.drain_timeout.s * _HANDED_OVER

    @property
    def tls(self) -> Callable[[], ssl.SSLContext] | None:
        """What to call other nodes with."""
        return None if self.credentials is None else self.credentials.rpc

    @property
    def is_leaving(self) -> bool:
        """Whether this node was to leave the cluster, as far as it knows."""
        known = self.machine.state.nodes.get(NodeName(self.us.name))
        return known is not None and known.leaving and known.incarnation == self.data.identity.incarnation

    def _renewed(self, contexts: Contexts) -> None:
        if self.raft is not None:
            self.raft.transport.renew(contexts.raft)

    def dial(self, address: str, name: str | None) -> RpcClient:
        """Return what calls another node."""
        return RpcClient(self.us, address, name=name, tls=self.tls, rng=self.rng)

    def dismissing(self, asking: Asking) -> Dismissing:
        """Return what removes members while this node leads."""
        reap_after, patience_s = self.config.reap_after, self.config.drain_timeout.s
        reap_after_s = None if reap_after is None else reap_after.s
        return Dismissing(asking, self.clock, patience_s=patience_s, reap_after_s=reap_after_s)

    def is_member(self, caller: Caller) -> bool:
        """Whether who calls belongs to this cluster."""
        if self.raft is None or caller.cluster != self.us.cluster:
            return False
        return any(each.name == caller.name for each in self.raft.members().members)


def worker_settings(loaded: Loaded) -> WorkerSettings:
    """Return how the node's workers are kept: without it they end while its lease still holds."""
    config = loaded.config
    return WorkerSettings(
        count=config.worker_count,
        node=config.name,
        permissions=_permissions(loaded),
        orphaned_after=Duration(_ORPHANED * LEASE_MS),
        max_memory=config.worker_memory,
        cores=config.worker_cores,
    )


def _permissions(loaded: Loaded) -> Permissions:
    """Return what pipelines may reach here: what the operator named, and never what is the node's own."""
    config = loaded.config
    return Permissions(
        python=tuple(config.allow_python),
        paths=tuple(config.allow_paths),
        env=tuple(config.allow_env),
        protected=tuple(str(path.absolute()) for path in _own(loaded)),
    )


def _own(loaded: Loaded) -> Iterator[Path]:
    """Return the node's folder, its configuration, and all that certificates are made of.

    A token for joining may be in the second, and who could write `ca` could be any node.

    Where links lead is looked at whenever it counts: a certificate that is renewed may be somewhere else then.
    """
    config = loaded.config
    yield config.folder
    if loaded.file is not None:
        yield loaded.file
    tls = config.tls
    if tls is not None:
        yield from (tls.ca, tls.ca.with_suffix(".key"), tls.cert)  # the authority's key, as `wire certs init` lays it
        if tls.key is not None:
            yield tls.key


def tell_of_fault(exc: Exception) -> None:
    """Log what a listener of the state machine raised: the state is right without it."""
    log.error("listener_failed", error=repr(exc))
