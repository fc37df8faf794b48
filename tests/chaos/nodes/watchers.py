"""Looks at the cluster all the time from all sides, and fails as soon as it sees what must never be."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.chaos.nodes.cluster import DEADLINE_S, STALE, Cluster
from tests.waiting import until

_PAUSE_S = 0.1
_LOOK_S = 0.4


class Watchers:
    """What was seen so far; it is kept from one fault to the next."""

    def __init__(self, cluster: Cluster, pipelines: list[str], changed: str, rng: random.Random) -> None:
        """Watch `pipelines`, and change `changed`, which runs nothing, to see whether changes are seen."""
        self.confirmed = 0
        self.read = 0
        self.seqs: dict[tuple[str, str], int] = {}
        self._cluster = cluster
        self._pipelines = pipelines
        self._changed = changed
        self._rng = rng
        self._revision = 0
        self._checkpoints: dict[tuple[str, str], tuple[int, int, int]] = {}
        self._epochs: dict[int, tuple[str, int, str]] = {}
        self._looks = 0

    def all(self) -> list[Callable[[asyncio.Event], Awaitable[None]]]:
        """What all goes on until it is over; to cancel it would leave connections open."""
        return [self.change, self.read_revisions, self.read_revisions, self.read_checkpoints, self.read_owners]

    async def change(self, over: asyncio.Event) -> None:
        """Change a pipeline again and again, asking anybody."""
        number = 0
        while not over.is_set():
            number += 1
            what = ("pause", "stop")[number % 2]
            answer = await self._ask("PUT", f"/api/v1/pipelines/{self._changed}/{what}")
            if answer is not None:
                revision = int(answer["revision"])
                self._revision = max(self._revision, revision)
                self.confirmed += 1
            await asyncio.sleep(_PAUSE_S)

    async def read_revisions(self, over: asyncio.Event) -> None:
        """Read that pipeline, asking anybody: what was confirmed or seen before the question is seen (I7)."""
        while not over.is_set():
            least, name = self._revision, self._anybody()
            answer = None if name is None else await self._ask("GET", f"/api/v1/pipelines/{self._changed}", name)
            if answer is not None:
                found = int(answer["revision"])
                assert found >= least, f"{name} answered revision {found} after {least} had been confirmed"
                self._revision = max(self._revision, found)
                self.read += 1
            await asyncio.sleep(_PAUSE_S)

    async def read_checkpoints(self, over: asyncio.Event) -> None:
        """Read checkpoints, asking whoever can know: none goes back (I3)."""
        while not over.is_set():
            for pipeline in self._pipelines:
                name = _one_of(self._cluster.connected, self._rng)
                answer = None if name is None else await self._ask(
                    "GET", f"/api/v1/pipelines/{pipeline}/checkpoints", name
                )  # fmt: skip
                for each in [] if answer is None else answer["items"]:
                    self._compare(pipeline, each, str(name))
                self._looks += answer is not None
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Wait until all checkpoints were read after this call."""
        enough = self._looks + 2 * len(self._pipelines)
        await until(lambda: self._looks >= enough, DEADLINE_S)

    def _compare(self, pipeline: str, found: dict[str, Any], name: str) -> None:
        key = pipeline, found["partition"]
        now = found["generation"], found["seq"], found["epoch"]
        before = self._checkpoints.get(key, (0, 0, 0))
        assert now[:2] >= before[:2], f"{name}: the checkpoint of {key} went back from {before} to {now}"
        assert now[2] >= before[2], f"{name}: the checkpoint of {key} is of an older epoch: {before}, then {now}"
        self._checkpoints[key] = now
        self.seqs[key] = now[1]

    async def read_owners(self, over: asyncio.Event) -> None:
        """Ask everybody who runs what: an epoch is one task's on one node (I4)."""
        while not over.is_set():
            for name in self._cluster.up:
                for pipeline in self._pipelines:
                    answer = await self._ask("GET", f"/api/v1/pipelines/{pipeline}/tasks?consistency=stale", name)
                    for task in [] if answer is None else answer["items"]:
                        if task["node"] is not None:
                            self._owned(task["epoch"], (task["job_id"], task["slot"], task["node"]), name)
            await asyncio.sleep(_LOOK_S)

    def _owned(self, epoch: int, owner: tuple[str, int, str], name: str) -> None:
        before = self._epochs.setdefault(epoch, owner)
        assert owner == before, f"{name}: epoch {epoch} is {owner}'s, and was {before}'s"

    def _anybody(self) -> str | None:
        return _one_of(self._cluster.up, self._rng)

    async def _ask(self, method: str, path: str, name: str | None = None) -> dict[str, Any] | None:
        """Return what a node answers, None where it does not."""
        name = name or self._anybody()
        if name is None:
            return None
        try:
            response = await self._cluster.clients[name].request(method, path)
        except httpx.HTTPError:
            return None
        assert response.status_code in (200, 202, 404, 429, 503, 504), f"{name}: {response.status_code} {response.text}"
        assert response.status_code != 404 or "stale" in path, f"{name} does not know {path} any more"
        return dict(response.json()) if response.is_success else None


def _one_of(names: list[str], rng: random.Random) -> str | None:
    return rng.choice(names) if names else None


async def same_everywhere(cluster: Cluster, pipelines: list[str]) -> bool:
    """Whether all members have the same definitions, tasks, checkpoints and counts by now."""
    found = []
    for name in sorted(cluster.members):
        theirs: list[Any] = [await cluster.items(name, "/api/v1/pipelines", **STALE)]
        for pipeline in pipelines:
            for what in ("tasks", "checkpoints", "versions", "jobs"):
                theirs.append(await cluster.items(name, f"/api/v1/pipelines/{pipeline}/{what}", **STALE))
        theirs.append((await cluster.get(name, "/status"))["counts"])
        found.append(theirs)
    return all(each == found[0] for each in found)
