"""A cluster of members in one process, with real files, real sockets and mutual TLS between them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec.structs import replace

from tests.integration.raft.transport_kit import Pki
from tests.services.ports import free_ports
from tests.sim.raft.machine import Ledger
from tests.waiting import until
from wire.raft import Configuration, Member, MemberId, RaftNode, RaftSettings, found_cluster
from wire.raft.transport.listener import listening
from wire.raft.transport.tls import TlsFiles, client_context, server_context

CLUSTER = "test"
QUICK = RaftSettings(heartbeat_s=0.05, election_min_s=1.0, election_max_s=2.0)
PIECES = replace(QUICK, snapshot_entries=10, trailing_entries=0, snapshot_piece_bytes=100)
"""Who is late gets a snapshot, in many pieces."""


class Host:
    """One member's process, as a task."""

    def __init__(
        self, member: Member, folder: Path, tls: TlsFiles, settings: RaftSettings, kind: type[RaftNode] = RaftNode
    ) -> None:
        self._kind = kind
        self.member = member
        self.folder = folder
        self.machine = Ledger()
        self.tls = tls
        self._settings = settings
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._node: RaftNode | None = None

    @property
    def node(self) -> RaftNode:
        assert self._node is not None
        return self._node

    @property
    def running(self) -> bool:
        return self._node is not None

    async def start(self) -> None:
        self._stop = asyncio.Event()
        ready = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._serve(ready))
        waiting = asyncio.get_running_loop().create_task(ready.wait())
        await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._stop.set()
            await task

    async def _serve(self, ready: asyncio.Event) -> None:
        self.machine = Ledger()
        host, _, port = self.member.address.rpartition(":")
        rng = random.Random(self.member.id)
        node = self._kind(
            self.member, CLUSTER, self.folder, self.machine, tls=client_context(self.tls), rng=rng,
            settings=self._settings,
        )  # fmt: skip
        try:
            async with node, listening(node.transport, host, int(port), self._server()):
                self._node = node
                ready.set()
                await self._stop.wait()
        finally:
            self._node = None

    def _server(self) -> ssl.SSLContext:
        return server_context(self.tls)


class Cluster:
    """Hosts by name."""

    def __init__(self, folder: Path, settings: RaftSettings, kind: type[RaftNode] = RaftNode) -> None:
        self._kind = kind
        self._folder = folder
        self._settings = settings
        self.hosts: dict[str, Host] = {}
        folder.mkdir(exist_ok=True)
        self.pki = Pki(folder)

    def host(self, name: str, incarnation: str = "a") -> Host:
        (port,) = free_ports(1)
        member = Member(MemberId(f"{name}/{incarnation}"), f"127.0.0.1:{port}")
        folder = self._folder / f"{name}-{incarnation}"
        self.hosts[name] = Host(member, folder, self.pki.good(name), self._settings, self._kind)
        return self.hosts[name]

    def found(self, *names: str) -> None:
        members = tuple(self.host(name).member for name in names)
        for name in names:
            found_cluster(self.hosts[name].folder, CLUSTER, Configuration(voters=tuple(sorted(members))), Ledger())

    def leaders(self) -> list[Host]:
        return [host for host in self.hosts.values() if host.running and host.node.status().role.value == "leader"]

    async def leader(self) -> Host:
        """Return the leader, once there is one that all who run agree on."""

        def agreed() -> bool:
            leaders = self.leaders()
            seen = {host.node.status().leader for host in self.hosts.values() if host.running}
            return len(leaders) == 1 and seen == {leaders[0].member}

        await until(agreed)
        return self.leaders()[0]


@contextlib.asynccontextmanager
async def cluster(
    folder: Path, *names: str, settings: RaftSettings = QUICK, kind: type[RaftNode] = RaftNode
) -> AsyncIterator[Cluster]:
    """A running cluster that these have founded."""
    its = Cluster(folder, settings, kind)
    its.found(*names)
    try:
        for host in its.hosts.values():
            await host.start()
        yield its
    finally:
        for host in its.hosts.values():
            await host.stop()
