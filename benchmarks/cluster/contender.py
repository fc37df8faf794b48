"""What is measured alike of every cluster: three workers that run named pipelines of one task each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import httpx

from benchmarks.processes import Child, RunError, running

WIRE: Final = "wire"
CONNECT: Final = "kafka_connect"
PLACES: Final = range(3)
_POLL_S: Final = 0.05
_DEADLINE_S: Final = 600.0


class Contender(Protocol):
    """A cluster of three. Places that were killed stay so."""

    def start(self) -> AbstractAsyncContextManager[None]:
        """Start all three; they end with the block."""
        ...

    async def formed(self) -> bool:
        """Whether all three belong together, so that the death of any one is survived."""
        ...

    async def create(self, name: str) -> None:
        """Make a pipeline that runs until it is deleted. Returns once the cluster has it for good."""
        ...

    async def placed(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return where each pipeline's task runs; one that runs nowhere is left out.

        If the cluster keeps how far a task has come, it runs once something is kept of this run.
        """
        ...

    async def follower(self) -> int:
        """Return a place that leads nothing."""
        ...

    async def running(self) -> int:
        """Return how many pipelines have a task that runs."""
        ...

    def kill(self, place: int) -> None:
        """End what runs there at once (SIGKILL), its children included."""
        ...


class Started:
    """The processes of a cluster by place, and the clients that ask them."""

    def __init__(self, name: str, folder: Path) -> None:
        """Begin with nobody started."""
        self._name = name
        self._folder = folder
        self.children: dict[int, Child] = {}

    @asynccontextmanager
    async def running(self, place: int, command: list[str]) -> AsyncIterator[None]:
        """Run the process of one place until the block ends."""
        async with running(f"{self._name}-{place}", command, self._folder) as child:
            self.children[place] = child
            yield

    def pid(self, place: int) -> int:
        """Return the id of the process of a place."""
        return self.children[place].pid

    def living(self) -> list[int]:
        """Return the places whose process has not ended."""
        return [place for place, child in self.children.items() if child.process.returncode is None]

    def kill(self, place: int) -> None:
        """End the process of a place at once."""
        self.children[place].process.kill()


async def becomes(condition: Callable[[], Awaitable[bool]], what: str) -> float:
    """Return for how many seconds a condition had to be waited for. Raises RunError where it is never true."""
    began_s = time.monotonic()
    while True:
        try:
            if await condition():
                return time.monotonic() - began_s
        except httpx.HTTPError:
            pass  # nobody is there yet, or any more
        if time.monotonic() - began_s > _DEADLINE_S:
            raise RunError(f"{what}: not within {_DEADLINE_S:g} s")
        await asyncio.sleep(_POLL_S)
