"""Three workers of Kafka Connect in distributed mode beside a broker of the harness.

Every setting is left alone but one, which would have them wait five minutes for a worker that is gone to come back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.cluster.contender import CONNECT, PLACES, Started
from benchmarks.processes import RunError
from tests.services import java
from tests.services.kafka import VERSION
from tests.services.ports import free_ports

_ARTIFACTS: Final = (
    f"org.apache.kafka:connect-runtime:{VERSION}",
    f"org.apache.kafka:connect-file:{VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",
)
_HOST: Final = "127.0.0.1"
_TIMEOUT_S: Final = 120.0
_CONNECTOR: Final = "org.apache.kafka.connect.file.FileStreamSourceConnector"
_CONVERTER: Final = "org.apache.kafka.connect.storage.StringConverter"


def install() -> Path:
    """Return the folder of Kafka Connect's jars, fetched if need be. Raises ServiceMissing."""
    return java.jars(f"kafka-connect-{VERSION}", *_ARTIFACTS)


class Connect:
    """The cluster; each task reads a file that stays empty."""

    def __init__(self, folder: Path, bootstrap: str, group: str) -> None:
        """Write the workers' configurations. Raises ServiceMissing."""
        self._folder = folder
        self._java, self._jars = java.java(), install()
        self._ports = free_ports(len(PLACES))
        self._started = Started(CONNECT, folder)
        self._clients: list[httpx.AsyncClient] = []
        (folder / "empty.txt").touch()
        for place, port in zip(PLACES, self._ports, strict=True):
            self._properties(place).write_text(_properties(bootstrap, group, port))

    @asynccontextmanager
    async def start(self) -> AsyncIterator[None]:
        """Start all three at once; they end with the block."""
        async with AsyncExitStack() as stack:
            for place, port in zip(PLACES, self._ports, strict=True):
                client = httpx.AsyncClient(base_url=f"http://{_HOST}:{port}", timeout=_TIMEOUT_S)
                self._clients.append(await stack.enter_async_context(client))
                await stack.enter_async_context(self._started.running(place, self._command(place)))
            yield

    async def formed(self) -> bool:
        """Whether each takes part: who has not joined the group yet does not answer this."""
        for client in self._clients:
            (await client.get("/connectors")).raise_for_status()
        return True

    async def create(self, name: str) -> None:
        """Make a connector of one task."""
        config = {
            "connector.class": _CONNECTOR,
            "tasks.max": "1",
            "file": str(self._folder / "empty.txt"),
            "topic": "connected",
        }
        asked = {"name": name, "config": config}
        while True:
            answer = await self._clients[self._started.living()[-1]].post("/connectors", json=asked)
            if answer.status_code == httpx.codes.CREATED:
                return
            if answer.status_code != httpx.codes.CONFLICT:  # which says that a rebalance is under way
                raise RunError(f"a connector was not created: {answer.text}")

    async def placed(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return where each connector's task runs."""
        ports = {f"{_HOST}:{port}": place for place, port in zip(PLACES, self._ports, strict=True)}
        workers = await self._workers()
        return {name: ports[workers[name]] for name in names if name in workers}

    async def follower(self) -> int:
        """Return the last place: it is the broker that leads."""
        return PLACES[-1]

    async def running(self) -> int:
        """Return how many connectors have a task that runs."""
        return len(await self._workers())

    async def _workers(self) -> dict[str, str]:
        client = self._clients[self._started.living()[0]]
        found: dict[str, Any] = (await client.get("/connectors?expand=status")).raise_for_status().json()
        return {
            name: task["worker_id"]
            for name, connector in found.items()
            for task in connector["status"]["tasks"]
            if task["state"] == "RUNNING"
        }

    def kill(self, place: int) -> None:
        """End a worker at once."""
        self._started.kill(place)

    def _properties(self, place: int) -> Path:
        return self._folder / f"connect-{place}.properties"

    def _command(self, place: int) -> list[str]:
        program = "org.apache.kafka.connect.cli.ConnectDistributed"
        return [self._java, "-Xmx512m", "-cp", f"{self._jars}/*", program, str(self._properties(place))]


def _properties(bootstrap: str, group: str, port: int) -> str:
    needed = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "listeners": f"http://{_HOST}:{port}",
        "rest.advertised.host.name": _HOST,
        "scheduled.rebalance.max.delay.ms": "0",
        "key.converter": _CONVERTER,
        "value.converter": _CONVERTER,
        **{f"{what}.storage.topic": f"{group}-{what}" for what in ("config", "offset", "status")},
        **{f"{what}.storage.replication.factor": "1" for what in ("config", "offset", "status")},
    }
    return "".join(f"{key}={value}\n" for key, value in needed.items())
