"""Pipelines that are made, changed, stopped and deleted while things break: what was confirmed is what there is.

Whoever is asked may not answer, or not know what came of it. Then the same is asked again under the same
Idempotency-Key, of anybody: it is carried out once, and what was asked before and arrives late changes nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from msgspec import Struct
from msgspec.structs import replace

from tests.chaos.nodes.cluster import DEADLINE_S, Cluster
from tests.e2e.nodes_kit import endless
from tests.waiting import insist

NAMES = [f"defined-{i}" for i in range(3)]
_PAUSE_S = 0.5
_PATH = "/api/v1/pipelines"
_PASSES = (429, 503, 504)


class Defined(Struct, frozen=True):
    """What there is to see of a pipeline: which change its spec is from, and what is desired."""

    change: int
    desired: str


class Definitions:
    """Pipelines that run nowhere, each changed by one that waits for an answer before it asks for something else.

    `confirmed` counts changes, and `repeated` those of them that had to be asked for again.
    """

    def __init__(self, cluster: Cluster, rng: random.Random) -> None:
        """Begin with none."""
        self.confirmed = 0
        self.repeated = 0
        self._cluster = cluster
        self._rng = rng
        self._known: dict[str, Defined] = {}
        self._under_way: set[str] = set()
        self._begun: Counter[str] = Counter()

    def all(self) -> list[Callable[[asyncio.Event], Awaitable[None]]]:
        """What all goes on until it is over. Then nothing is under way: what there has to be is known."""
        return [*(self._changing(name) for name in NAMES), self.read]

    def _changing(self, name: str) -> Callable[[asyncio.Event], Awaitable[None]]:
        async def change(over: asyncio.Event) -> None:
            while not over.is_set():
                self._begun[name] += 1
                self._under_way.add(name)
                await self._change(name)
                self._under_way.remove(name)
                await asyncio.sleep(_PAUSE_S)

        return change

    async def _change(self, name: str) -> None:
        before, change = self._known.get(name), self._begun[name]
        what = "create" if before is None else self._rng.choice(("change", "change", "stop", "start", "delete"))
        match what:
            case "create":
                await self._confirmed("POST", _PATH, 201, json=spec(name, change))
                self._known[name] = Defined(change, "running")
            case "change":
                await self._confirmed("PUT", f"{_PATH}/{name}", 200, json=spec(name, change))
                self._known[name] = replace(self._known[name], change=change)
            case "delete":
                await self._confirmed("DELETE", f"{_PATH}/{name}", 204)
                del self._known[name]
            case _:
                await self._confirmed("PUT", f"{_PATH}/{name}/{what}", 202)
                desired = "stopped" if what == "stop" else "running"
                self._known[name] = replace(self._known[name], desired=desired)

    async def _confirmed(self, method: str, path: str, wanted: int, **sent: Any) -> None:
        """Ask anybody for a change, until somebody confirms it."""
        key = {"idempotency-key": f"{self._rng.getrandbits(64):x}"}
        asked = 0
        async with asyncio.timeout(DEADLINE_S):
            while True:
                answer = await self._ask(method, path, headers=key, **sent)
                asked += 1
                if answer is not None and answer.status_code == wanted:
                    break
                assert answer is None or answer.status_code in _PASSES, f"{method} {path}: {answer.text}"
                await asyncio.sleep(_PAUSE_S)
        self.confirmed += 1
        self.repeated += asked > 1

    async def _ask(self, method: str, path: str, **sent: Any) -> httpx.Response | None:
        """Return what somebody answers, None where there is no answer."""
        up = self._cluster.up
        if not up:
            return None
        try:
            return await self._cluster.clients[self._rng.choice(up)].request(method, path, **sent)
        except httpx.HTTPError:
            return None

    async def read(self, over: asyncio.Event) -> None:
        """List them, asking anybody: those that nobody changes meanwhile are as was confirmed (I5, I7)."""
        while not over.is_set():
            begun = dict(self._begun)
            quiet = {name: self._known.get(name) for name in NAMES if name not in self._under_way}
            answer = await self._ask("GET", _PATH)
            if answer is not None and answer.is_success:
                found = defined(answer.json()["items"])
                unchanged = [name for name in quiet if self._begun[name] == begun.get(name, 0)]
                assert {name: found.get(name) for name in unchanged} == {name: quiet[name] for name in unchanged}
            await asyncio.sleep(_PAUSE_S)

    async def same_on_all(self) -> None:
        """See that each node, asked for what there is now, has what was confirmed and nothing else."""
        for member in sorted(self._cluster.members):
            items = await insist(lambda member=member: self._listed(member), httpx.HTTPError, DEADLINE_S)  # type: ignore[misc]
            assert defined(items) == self._known, member

    async def _listed(self, member: str) -> list[dict[str, Any]]:
        return await self._cluster.items(member, _PATH, consistency="linearizable")


def spec(name: str, change: int) -> dict[str, Any]:
    """A pipeline that tells one change from another, and that no node may run."""
    return endless(name) | {
        "transforms": [{"rate_limit": {"rate": change}}],
        "node_selector": {"runs": "nowhere"},
    }


def defined(items: list[dict[str, Any]]) -> dict[str, Defined]:
    """Pick them out of a list of pipelines."""
    return {
        item["name"]: Defined(item["spec"]["transforms"][0]["rate_limit"]["rate"], item["desired"])
        for item in items
        if item["name"] in NAMES
    }
