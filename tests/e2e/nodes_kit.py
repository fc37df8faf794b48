"""Nodes as `wire serve` runs them: processes with a port and a folder, asked over HTTP, killed without warning."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.command import Outcome, start, wire
from tests.services.ports import free_ports
from tests.waiting import comes_true, insist

DEADLINE_S = 120.0
RECORDS = 6000
NOT_THERE = httpx.HTTPError


class NodeProcess:
    """One node; after its end it can be started again, in the same folder and at the same port.

    It is asked at `url`; what it writes goes to the end of `log`. `prefix` is the command that runs `wire`, if any.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *flags: str | Path,
        tls: ssl.SSLContext | None = None,
        address: str | None = None,
        prefix: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.folder = folder / name
        self.log = folder / f"{name}.log"
        self.cwd = cwd or folder
        self.flags: tuple[str | Path, ...] = flags
        self._tls = tls
        self.prefix = prefix
        self._environ = environ
        self._process: asyncio.subprocess.Process | None = None
        self._said_before = 0
        self.moves(address or f"127.0.0.1:{free_ports(1)[0]}")

    def moves(self, address: str) -> None:
        """Be reached there from its next start on."""
        self.address = address
        self.url = f"{'http' if self._tls is None else 'https'}://{address}"

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    @property
    def is_up(self) -> bool:
        """Whether there is a process, be it frozen."""
        return self._process is not None and self._process.returncode is None

    @property
    def said(self) -> str:
        """What it wrote since it was started last."""
        return self.log.read_bytes()[self._said_before :].decode()

    @contextlib.asynccontextmanager
    async def running(self, *flags: str) -> AsyncIterator[httpx.AsyncClient]:
        """Start it, and kill it at the end unless it has ended. Gives a client, once it is ready."""
        async with self.started(*flags) as client:
            await self.ready(client)
            yield client

    @contextlib.asynccontextmanager
    async def started(self, *flags: str) -> AsyncIterator[httpx.AsyncClient]:
        """Start it as `running` does, but wait for nothing."""
        await self.start(*flags)
        try:
            async with self.client() as client:
                yield client
        finally:
            await self.kill()

    async def start(self, *flags: str) -> None:
        """Start it, and don't wait for it."""
        self._said_before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = await start(
                *self._arguments(*flags), cwd=self.cwd, environ=self._environ, prefix=self.prefix, errors=log
            )

    def client(self, timeout_s: float = 30) -> httpx.AsyncClient:
        """A client for it, which outlives its end."""
        return httpx.AsyncClient(base_url=self.url, verify=self._tls or False, timeout=timeout_s)

    def forget(self, flag: str) -> None:
        """Start it without a flag, and what that is given, from now on."""
        at = self.flags.index(flag)
        self.flags = (*self.flags[:at], *self.flags[at + 2 :])

    def _arguments(self, *flags: str) -> list[str]:
        given = ("--node-id", self.name, "--listen", self.address, "--data-dir", self.folder, *self.flags, *flags)
        return ["serve", "--workers", "1", *map(str, given)]

    async def ends(self, *flags: str) -> Outcome:
        """Start it where it is to end by itself, and return how it does."""
        return await wire(*self._arguments(*flags), cwd=self.cwd)

    async def ended(self) -> int:
        """Wait until it ends by itself, and return what it exits with."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.process.wait()

    async def ready(self, client: httpx.AsyncClient) -> None:
        """Wait until it answers that it is ready."""
        await insist(lambda: self._ready(client), on=NOT_THERE, deadline_s=DEADLINE_S)

    async def _ready(self, client: httpx.AsyncClient) -> None:
        assert self.process.returncode is None, self.said
        (await client.get("/readyz")).raise_for_status()

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
        "sink": {"type": "file", "config": {"path": str(target), "shared": True}},
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
    found = 0
    for each in path.parent.glob(f"{path.name}*"):
        with contextlib.suppress(FileNotFoundError):  # it was renamed since it was listed
            found += each.read_bytes().count(b"\n")
    return found


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
