"""Nodes as `wire serve` runs them: processes with a port and a folder, asked over HTTP, killed without warning."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.command import start
from tests.services.ports import free_ports
from tests.waiting import comes_true, insist

DEADLINE_S = 120.0
RECORDS = 6000
NOT_THERE = httpx.HTTPError


class NodeProcess:
    """One node; after its end it can be started again, in the same folder and at the same port."""

    def __init__(self, folder: Path, name: str, *flags: str | Path, tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self.folder = folder / name
        self._cwd = folder
        self.flags: tuple[str | Path, ...] = flags
        self._tls = tls
        self._process: asyncio.subprocess.Process | None = None
        self._said: list[str] = []

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://{self.address}"

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    @property
    def said(self) -> str:
        """What it wrote since it was started last, once it has ended."""
        return "".join(self._said)

    @contextlib.asynccontextmanager
    async def running(self, *flags: str) -> AsyncIterator[httpx.AsyncClient]:
        """Start it, and kill it at the end unless it has ended. Gives a client, once it is ready."""
        async with self.started(*flags) as client:
            await self.ready(client)
            yield client

    @contextlib.asynccontextmanager
    async def started(self, *flags: str) -> AsyncIterator[httpx.AsyncClient]:
        """Start it as `running` does, but wait for nothing."""
        self._said = []
        arguments = ("--node-id", self.name, "--listen", self.address, "--data-dir", self.folder, *self.flags, *flags)
        self._process = await start("serve", "--workers", "2", *map(str, arguments), cwd=self._cwd)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            try:
                async with httpx.AsyncClient(base_url=self.url, verify=self._tls or False, timeout=30) as client:
                    yield client
            finally:
                await self.kill()

    async def ready(self, client: httpx.AsyncClient) -> None:
        """Wait until it answers that it is ready."""
        await insist(lambda: self._ready(client), on=NOT_THERE, deadline_s=DEADLINE_S)

    async def _ready(self, client: httpx.AsyncClient) -> None:
        assert self.process.returncode is None, self.said
        (await client.get("/readyz?sync")).raise_for_status()  # a restarted one may not know yet what it knew

    async def _listen(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self._said.append(line.decode())

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """End it as an operator does, and return what it exits with."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_S):
            return await self.process.wait()

    def workers(self) -> list[int]:
        """The ids of its workers' processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def kill_workers(self) -> None:
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def numbered(path: Path, count: int = RECORDS) -> Path:
    """Write a file of records that can be told apart."""
    path.write_bytes(b"".join(b'{"n":%d}\n' % n for n in range(count)))
    return path


def copying(name: str, source: Path, target: Path, rate: int = 1500) -> dict[str, Any]:
    """A pipeline from a file into a file that takes a few seconds, in many small steps."""
    return {
        "name": name,
        "source": {"type": "file", "config": {"path": str(source)}},
        "transforms": [{"rate_limit": {"rate": rate, "burst": 50}}],
        "sink": {"type": "file", "config": {"path": str(target)}},
        "checkpoint": {"interval": "50ms"},
    }


def endless(name: str) -> dict[str, Any]:
    """A pipeline that never ends and leaves nothing."""
    return {
        "name": name,
        "source": {"type": "generate", "config": {"rate": 50, "fields": {"n": "sequence"}}},
        "sink": {"type": "drop"},
        "checkpoint": {"interval": "200ms"},
    }


def lines(path: Path) -> int:
    """How many records are in a file, if there is one yet, the parts that are still being written included."""
    count = 0
    for each in path.parent.glob(f"{path.name}*"):
        with contextlib.suppress(FileNotFoundError):  # a part that has become the whole, or was given up
            count += each.read_bytes().count(b"\n")
    return count


async def create(client: httpx.AsyncClient, spec: dict[str, Any]) -> None:
    response = await client.post("/api/v1/pipelines", json=spec)
    assert response.status_code == 201, response.text


async def status(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    response = await client.get(f"/api/v1/pipelines/{name}/status", params={"consistency": "stale"})
    return dict(json.loads(response.raise_for_status().content))


async def reaches(client: httpx.AsyncClient, name: str, state: str) -> None:
    """Wait until a pipeline is in a state."""

    async def reached() -> bool:
        found = await status(client, name)
        assert found["state"] != "failed", found
        return bool(found["state"] == state)

    await comes_true(reached, DEADLINE_S)
