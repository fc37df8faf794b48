"""A cluster of `wire serve` processes with certificates, on this machine's loopback or each on a host of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.command import wire
from tests.e2e.nodes_kit import NodeProcess
from tests.services.hosts import Hosts
from tests.services.ports import free_ports
from tests.services.relays import Relays
from tests.waiting import comes_true
from wire.node.certificate_folder import CertificateFolder

DEADLINE_S = 120.0
STALE = {"consistency": "stale"}
_ASKING_S = 5.0
_PORT = 4001


class Cluster:
    """Nodes by name, and a client for each. Those in `members` belong to it; a node that was removed does not.

    Some of them may be `frozen`, or `cut_off` from the others.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        hosts: Hosts | None = None,
        relays: Relays | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        """Start nothing yet. Pipelines may refer to `environ`; nodes are given `flags`.

        On `hosts`, nodes are asked by way of `relays`.
        """
        self.nodes: dict[str, NodeProcess] = {}
        self.clients: dict[str, httpx.AsyncClient] = {}
        self.members: set[str] = set()
        self.frozen: set[str] = set()
        self.cut_off: set[str] = set()
        self._folder = folder
        self._environ = environ
        self._hosts = hosts
        self._relays = relays
        self._flags = flags
        self._certificates = CertificateFolder(folder / "certs")
        now, day = datetime.now(UTC), timedelta(days=1)
        self._certificates.init("Wire trials", day, now, replace=False)
        self._client = self._certificates.issue_client("ada", day, now, replace=False)
        self._tls = ssl.create_default_context(cafile=self._certificates.authority)
        self._tls.load_cert_chain(self._client.certificate, self._client.key)

    @property
    def up(self) -> list[str]:
        """The members that can be asked."""
        return sorted(name for name in self.members - self.frozen if self.nodes[name].is_up)

    @property
    def connected(self) -> list[str]:
        """The members that can be asked, and can ask the others."""
        return [name for name in self.up if name not in self.cut_off]

    async def grow(self, name: str) -> None:
        """Start a node with an empty folder: the first founds the cluster, another joins those there are."""
        node = self.nodes[name] = self._node(name, [self.nodes[each].address for each in self.up])
        self.clients[name] = node.client(_ASKING_S)
        await node.start()
        await node.ready(self.clients[name])
        self.members.add(name)

    def _node(self, name: str, peers: Sequence[str]) -> NodeProcess:
        host, port = "127.0.0.1", free_ports(1)[0]
        if self._hosts is not None:
            host, port = self._hosts.addresses[name[-1]], _PORT
        now = datetime.now(UTC)
        issued = self._certificates.issue_node(name, [host], timedelta(days=1), now, replace=True)
        flags = [*self._flags, "--ca", self._certificates.authority, "--cert", issued.certificate, "--key", issued.key]
        for variable in self._environ:
            flags += ["--allow-env", variable]
        for peer in peers:
            flags += ["--join", peer]
        prefix = () if self._hosts is None else self._hosts.prefix(name[-1])
        node = NodeProcess(
            self._folder,
            name,
            *map(str, flags),
            tls=self._tls,
            address=f"{host}:{port}",
            prefix=prefix,
            environ=self._environ,
        )
        if self._hosts is not None and self._relays is not None:
            node.url = f"https://127.0.0.1:{self._way_to(self._hosts, self._relays, name[-1], host)}"
        return node

    def _way_to(self, hosts: Hosts, relays: Relays, letter: str, host: str) -> int:
        """Relay to a node from within its own host: it can be asked also while it is cut off. Returns the port."""
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        relays.relay(listening, lambda: hosts.socket(letter), (host, _PORT))
        return int(listening.getsockname()[1])

    async def start(self, *names: str) -> None:
        """Start nodes that have ended, and wait until they are ready."""
        for name in names:
            await self.nodes[name].start()
        for name in names:
            await self.nodes[name].ready(self.clients[name])

    async def leave(self, name: str) -> None:
        """Let a member go for good, with the command that an operator types, and see it end by itself."""
        environ = {"WIRE_CONTEXTS": str(self._folder / "contexts.json")}
        servers = [word for each in self.connected if each != name for word in ("--server", self.nodes[each].url)]
        files = ["--ca", self._certificates.authority, "--cert", self._client.certificate, "--key", self._client.key]
        for words in (["context", "set", "trial", *servers, *files], ["cluster", "leave", name, "--yes", "--wait"]):
            outcome = await wire(*words, cwd=self._folder, environ=environ)
            assert outcome.code == 0, outcome.err
        assert await self.nodes[name].ended() == 0, self.nodes[name].said
        self.members.remove(name)

    async def kill(self, *names: str) -> None:
        """Kill nodes at the same moment, as far as there is one."""
        for name in names:
            self.nodes[name].process.kill()
        for name in names:
            await self.nodes[name].kill()

    @contextlib.contextmanager
    def freezing(self, name: str) -> Iterator[list[int]]:
        """Stop a node and its workers (SIGSTOP), and let them go on at the end. Gives the workers."""
        node = self.nodes[name]
        workers = node.workers()
        self.frozen.add(name)
        for pid in (node.process.pid, *workers):
            os.kill(pid, signal.SIGSTOP)
        try:
            yield workers
        finally:
            for pid in (*workers, node.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            self.frozen.remove(name)

    async def leader(self) -> str:
        """Return who leads, once all members that are connected say the same."""
        found: set[str] = set()

        async def agreed() -> bool:
            found.clear()
            found.update([str((await self.view(name))["leader"]) for name in self.connected])
            return len(found) == 1 and found != {"None"}

        await comes_true(lambda: _or_not(agreed()), DEADLINE_S)
        return found.pop().partition("/")[0]

    async def view(self, name: str) -> dict[str, Any]:
        """The cluster as a node knows it."""
        return dict(await self.get(name, "/api/v1/cluster"))

    async def get(self, name: str, path: str, **parameters: str) -> Any:
        """What a node answers. Raises httpx.HTTPError."""
        response = await self.clients[name].get(path, params=parameters)
        return json.loads(response.raise_for_status().content)

    async def items(self, name: str, path: str, **parameters: str) -> list[dict[str, Any]]:
        """The items of a list, of which there is one page. Raises httpx.HTTPError."""
        page = await self.get(name, path, **parameters)
        assert page["next"] is None
        return list(page["items"])

    async def owners(self, pipeline: str) -> dict[int, str]:
        """Who runs each task of a pipeline that moves records, once they all run."""
        found: dict[int, str] = {}

        async def all_run() -> bool:
            tasks = await self.items(await self.leader(), f"/api/v1/pipelines/{pipeline}/tasks")
            movers = [task for task in tasks if task["slot"] >= 0]
            found.clear()
            found.update({task["slot"]: task["node"] for task in movers if task["node"] is not None})
            return len(found) == len(movers) > 0

        await comes_true(lambda: _or_not(all_run()), DEADLINE_S)
        return found

    async def healthy(self) -> None:
        """Wait until every member is up, knows the same members and leader, and the leader hears of all.

        As many have a vote as make an odd number.
        """
        odd = len(self.members) - (len(self.members) + 1) % 2

        async def whole() -> bool:
            views = [await self.view(name) for name in sorted(self.members)]
            names = [{member["name"] for member in view["members"]} for view in views]
            leaders = {view["leader"] for view in views}
            if len(leaders) != 1 or None in leaders or any(each != self.members for each in names):
                return False
            leader = str(leaders.pop()).partition("/")[0]
            led = views[sorted(self.members).index(leader)]
            voters = [member["id"] for member in led["members"] if member["role"] != "nonvoter"]
            return len(voters) == odd and all(member["state"] == "live" for member in led["members"])

        await comes_true(lambda: _or_not(whole()), DEADLINE_S)

    async def end(self) -> None:
        """Kill all that is left."""
        for name, node in self.nodes.items():
            if node.is_up:
                await node.kill()
            await self.clients[name].aclose()

    def wipe(self, name: str) -> None:
        """Throw away what a node keeps."""
        shutil.rmtree(self.nodes[name].folder)


async def _or_not(attempt: Any) -> bool:
    """Whether it holds; not, if there is no answer."""
    with contextlib.suppress(httpx.HTTPError):
        return bool(await attempt)
    return False


@contextlib.asynccontextmanager
async def cluster(
    folder: Path,
    names: Sequence[str],
    environ: Mapping[str, str],
    hosts: Hosts | None = None,
    relays: Relays | None = None,
    flags: Sequence[str] = (),
) -> AsyncIterator[Cluster]:
    """A cluster of these nodes, once each has a vote."""
    its = Cluster(folder, environ, hosts, relays, flags)
    try:
        async with asyncio.timeout(DEADLINE_S):
            for name in names:
                await its.grow(name)
            await its.healthy()
        yield its
    finally:
        await its.end()
