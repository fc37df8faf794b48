"""Three of Wire's nodes with mutual TLS, as `wire serve` runs them, every setting left alone."""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.cluster.contender import PLACES, WIRE, Started
from benchmarks.processes import RunError, tree, usage
from tests.services.ports import free_ports
from wire.node.certificate_folder import CertificateFolder

_HOST: Final = "127.0.0.1"
_ALL_VOTE: Final = ["leader", "voter", "voter"]
_TIMEOUT_S: Final = 30.0


class Nodes:
    """The cluster. Its nodes keep what they keep in `folder`, through a restart, too."""

    def __init__(self, folder: Path) -> None:
        """Issue certificates; nothing is started yet."""
        self._folder = folder
        self._certificates = _certificates(folder / "certs")
        self._addresses = [f"{_HOST}:{port}" for port in free_ports(len(PLACES))]
        self._started = Started(WIRE, folder)
        self.clients: list[httpx.AsyncClient] = []

    @asynccontextmanager
    async def start(self) -> AsyncIterator[None]:
        """Start all three at once; they end with the block."""
        async with AsyncExitStack() as stack:
            self.clients = [await stack.enter_async_context(self._client(place)) for place in PLACES]
            for place in PLACES:
                await stack.enter_async_context(self._started.running(place, self._command(place)))
            yield

    async def formed(self) -> bool:
        """Whether all three have a vote, and say that they are ready."""
        found = await self.get(0, "cluster")
        for client in self.clients:
            (await client.get("/readyz")).raise_for_status()
        return sorted(member["role"] for member in found["members"]) == _ALL_VOTE

    async def create(self, name: str, rate: int = 10) -> None:
        """Make a pipeline of one task that generates so many records a second."""
        await self.apply(
            {
                "name": name,
                "source": {"type": "generate", "config": {"rate": rate, "fields": {"n": "sequence"}}},
                "sink": {"type": "drop"},
            }
        )

    async def apply(self, spec: Mapping[str, Any]) -> None:
        """Make a pipeline. Raises RunError where it is refused."""
        answer = await self.clients[self._started.living()[-1]].post("/api/v1/pipelines", json=spec)
        if answer.status_code != httpx.codes.CREATED:
            raise RunError(f"a pipeline was not created: {answer.text}")

    async def placed(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return where each pipeline's task runs, and has committed a checkpoint since it began there."""
        found = {}
        for name in names:
            committed = {each["epoch"] for each in await self.checkpoints(name)}
            for task in await self.tasks(name):
                if task["state"] == "running" and task["epoch"] in committed:
                    found[name] = int(task["node"].removeprefix("n"))
        return found

    async def follower(self) -> int:
        """Return the last place that does not lead."""
        leader = await self.leader()
        return max(place for place in PLACES if place != leader)

    async def count(self, place: int, state: str | None = None) -> int:
        """Return how many pipelines a node knows, or how many of them are in a state."""
        counted, cursor = 0, ""
        while True:
            page = await self.get(place, f"pipelines?consistency=stale&limit=500{cursor}")
            counted += sum(state in (None, each["state"]) for each in page["items"])
            if page["next"] is None:
                return counted
            cursor = f"&cursor={page['next']}"

    async def running(self) -> int:
        """Return how many pipelines run."""
        return await self.count(self._started.living()[0], "running")

    async def tasks(self, name: str) -> list[dict[str, Any]]:
        """Return the tasks of a pipeline but for the one that looks for partitions."""
        place = self._started.living()[0]
        tasks = (await self.get(place, f"pipelines/{name}/tasks?consistency=stale"))["items"]
        return [task for task in tasks if task["slot"] >= 0]

    async def checkpoints(self, name: str) -> list[dict[str, Any]]:
        """Return the checkpoints of a pipeline."""
        place = self._started.living()[0]
        return list((await self.get(place, f"pipelines/{name}/checkpoints?consistency=stale"))["items"])

    def kill(self, place: int) -> None:
        """End a node at once, with its workers."""
        self._started.kill(place)  # they end when their socket closes

    async def leader(self) -> int:
        """Return the place of the node that leads."""
        found = await self.get(self._started.living()[0], "cluster")
        return int(str(found["leader"]).partition("/")[0].removeprefix("n"))

    async def get(self, place: int, path: str) -> dict[str, Any]:
        """Ask a node for a document of its API."""
        answer = await self.clients[place].get(f"/api/v1/{path}")
        return dict(answer.raise_for_status().json())

    async def metrics(self, place: int) -> str:
        """Return what a node tells Prometheus."""
        return (await self.clients[place].get("/metrics")).raise_for_status().text

    def worker_cpu_s(self) -> float:
        """Return what the workers of all nodes have used."""
        return sum(usage(worker).cpu_s for pid in self._pids() for worker in tree(pid)[1:])

    def node_cpu_s(self) -> list[float]:
        """Return what each node's own process has used, without its workers."""
        return [usage(pid).cpu_s - sum(usage(worker).cpu_s for worker in tree(pid)[1:]) for pid in self._pids()]

    def node_rss(self) -> list[int]:
        """Return how many bytes each node's own process has resident, without its workers."""
        return [usage(pid).rss - sum(usage(worker).rss for worker in tree(pid)[1:]) for pid in self._pids()]

    def _pids(self) -> list[int]:
        return [self._started.pid(place) for place in PLACES]

    def _client(self, place: int) -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=self._certificates / "ca.pem")
        context.load_cert_chain(self._certificates / "user.pem", self._certificates / "user.key")
        return httpx.AsyncClient(base_url=f"https://{self._addresses[place]}", verify=context, timeout=_TIMEOUT_S)

    def _command(self, place: int) -> list[str]:
        name = f"n{place}"
        flags = {
            "node-id": name,
            "listen": self._addresses[place],
            "data-dir": str(self._folder / name),
            "ca": str(self._certificates / "ca.pem"),
            "cert": str(self._certificates / f"{name}.pem"),
            "key": str(self._certificates / f"{name}.key"),
        }
        if place:
            flags["join"] = self._addresses[0]
        wire = str(Path(sys.executable).with_name("wire"))
        return [wire, "serve", *(word for flag, value in flags.items() for word in (f"--{flag}", value))]


def _certificates(path: Path) -> Path:
    folder, day, now = CertificateFolder(path), timedelta(days=1), datetime.now(UTC)
    folder.init("bench", day, now, replace=False)
    for place in PLACES:
        folder.issue_node(f"n{place}", [_HOST], day, now, replace=False)
    folder.issue_client("user", day, now, replace=False)
    return path
