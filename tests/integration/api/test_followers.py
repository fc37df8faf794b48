"""Whatever changes something may be asked of a node that does not lead: it is done, and all nodes know it.

Of pipelines and tokens they know it at once (I7); who the members are each tells as it knows it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from tests.integration.api.api_kit import CLUSTER, Served, serving_all, spec
from tests.integration.api.conformance import DESCRIPTION
from tests.integration.api.test_any_node import leader_of
from tests.services.ports import free_ports
from tests.waiting import comes_true
from wire.cluster import commands as c
from wire.cluster.state import NodeName
from wire.node.calls import WHO, Who
from wire.node.data_dir import data_dir
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import listening
from wire.node.membership.founding import Standing
from wire.node.membership.inviting import Inviting
from wire.node.rpc.messages import ALPN as RPC
from wire.node.rpc.messages import Caller, Us
from wire.node.rpc.server import RpcServer
from wire.raft import Member, MemberId

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHANGING = [
    f"{method.upper()} {path}" for path, item in DESCRIPTION["paths"].items() for method in item if method != "get"
]
IN_NAMESPACE, NAMESPACE = "/api/v1/namespaces/{namespace}", "prod"
NOWHERE = "127.0.0.1:1"
FILE = {"content-type": "application/octet-stream"}


@dataclass
class Three:
    """Three nodes, and one of them that is asked and does not lead."""

    nodes: list[Served]
    leader: Served
    follower: Served
    folder: Path

    async def ask(self, route: str, **sent: Any) -> httpx.Response:
        """Ask the follower, and expect it to answer by itself that it is done."""
        method, _, path = route.partition(" ")
        response = await self.follower.client.request(method, path, **sent)
        assert response.is_success, response.text
        assert response.headers["x-wire-served-by"] == self.follower.node.me.name
        return response

    async def everywhere(self, path: str) -> list[Any]:
        """What each of them answers, None where there is nothing."""
        responses = [await node.client.get(path) for node in self.nodes]
        return [response.json() if response.is_success else None for response in responses]

    async def member(self, name: str) -> None:
        """Let there be a member that is never there."""
        await self.leader.node.add_member(Member(MemberId(f"{name}/i"), NOWHERE))
        await self.leader.propose(registered(name))


def registered(name: str) -> c.RegisterNode:
    return c.RegisterNode(
        at_ms=1, name=NodeName(name), incarnation="i", address=NOWHERE, workers=1, newest_command=2
    )  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Served]]:
    async with serving_all(tmp_path_factory.mktemp("followers"), 3) as served:
        leader = await leader_of(served)
        for node in served:
            await leader.propose(registered(node.node.me.name))
        await leader.propose(c.EnableCommands(at_ms=1, version=2))
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def three(nodes: list[Served], tmp_path: Path) -> Three:
    leader = await leader_of(nodes)
    return Three(nodes, leader, next(node for node in nodes if node is not leader), tmp_path)


@dataclass(frozen=True)
class Change:
    """What is sent to change a pipeline of two versions that was steered so `first`, and what all see of it then."""

    seen: Callable[[Any, Any], bool]
    first: str = ""
    sent: Callable[[str], dict[str, Any] | None] = lambda _: None


def described(name: str) -> dict[str, Any]:
    return spec(name, description="another")


OF_PIPELINES = {
    "POST /pipelines": Change(lambda _, now: now["version"] == 1, sent=spec),
    "PUT /pipelines/{name}": Change(lambda _, now: now["version"] == 3, sent=spec),
    "DELETE /pipelines/{name}": Change(lambda _, now: now is None),
    "PUT /pipelines/{name}/pause": Change(lambda _, now: now["desired"] == "paused"),
    "PUT /pipelines/{name}/resume": Change(lambda _, now: now["desired"] == "running", "pause"),
    "PUT /pipelines/{name}/stop": Change(lambda _, now: now["desired"] == "stopped"),
    "PUT /pipelines/{name}/start": Change(lambda _, now: now["desired"] == "running", "stop"),
    "PUT /pipelines/{name}/restart": Change(lambda was, now: now["job_id"] not in (None, was["job_id"])),
    "POST /pipelines/{name}/rollback": Change(lambda _, now: now["version"] == 3, sent=lambda _: {"version": 1}),
    "DELETE /pipelines/{name}/checkpoints": Change(lambda was, now: now["generation"] > was["generation"], "stop"),
}


async def of_a_pipeline(three: Three, route: str, short: str) -> None:
    change, path = OF_PIPELINES[short], route.partition(" ")[2].partition("/pipelines")[0]
    name = f"p{CHANGING.index(route)}"
    all_ = f"{path.format(namespace=NAMESPACE)}/pipelines"
    made = f"{all_}/{name}"
    was = None
    if short != "POST /pipelines":
        (await three.leader.client.post(all_, json=spec(name))).raise_for_status()
        (await three.leader.client.put(made, json=described(name))).raise_for_status()
        if change.first:
            (await three.leader.client.put(f"{made}/{change.first}")).raise_for_status()
        was = (await three.leader.client.get(made)).json()
    await three.ask(route.format(namespace=NAMESPACE, name=name), json=change.sent(name))
    now = await three.everywhere(made)
    assert all(change.seen(was, each) for each in now), now


async def agreed(three: Three, name: str, seen: Callable[[dict[str, Any]], Any]) -> None:
    """Wait until all see this of a member, which is empty where there is none."""

    async def seen_by_all() -> bool:
        found = await three.everywhere("/api/v1/cluster")
        return all(seen({each["name"]: each for each in cluster["members"]}.get(name, {})) for cluster in found)

    await comes_true(seen_by_all)


async def add_member(three: Three, route: str) -> None:
    async with waiting(three.folder, "n4") as address:
        await three.ask(route, json={"address": address})
    await agreed(three, "n4", lambda found: found.get("address") == address)


async def remove_member(three: Three, route: str) -> None:
    await three.member("n5")
    await three.ask(route.format(id="n5"))
    await agreed(three, "n5", lambda found: not found)


async def let_leave(three: Three, route: str) -> None:
    await three.member("n6")
    await three.ask(route.format(id="n6"))
    await agreed(three, "n6", lambda found: found.get("leaving"))


async def drain(three: Three, route: str) -> None:
    await three.ask(route.format(id="n1"))
    await agreed(three, "n1", lambda found: found.get("draining"))


async def undrain(three: Three, route: str) -> None:
    (await three.leader.client.put("/api/v1/cluster/members/n1/drain")).raise_for_status()
    await three.ask(route.format(id="n1"))
    await agreed(three, "n1", lambda found: found.get("draining") is False)


async def transfer(three: Three, route: str) -> None:
    me = three.follower.node.me
    assert (await three.ask(route, json={"to": me.name})).json()["leader"] == me.id
    assert await leader_of(three.nodes) is three.follower


async def snapshot(three: Three, route: str) -> None:
    await three.leader.create("before-the-snapshot")
    before = three.follower.node.status().applied
    assert before <= (await three.ask(route)).json()["index"] <= three.follower.node.status().applied


async def tokens(three: Three) -> list[set[str]]:
    return [{each["id"] for each in found["items"]} for found in await three.everywhere("/api/v1/cluster/tokens")]


async def create_token(three: Three, route: str) -> None:
    made = (await three.ask(route)).json()["id"]
    assert all(made in each for each in await tokens(three))


async def revoke_token(three: Three, route: str) -> None:
    made = (await three.leader.client.post("/api/v1/cluster/tokens")).json()["id"]
    await three.ask(route.format(id=made))
    assert not any(made in each for each in await tokens(three))


async def restore(three: Three, route: str) -> None:
    await three.leader.create("kept")
    backup = (await three.leader.client.get("/api/v1/cluster/backup")).content
    pipelines = [(key.namespace, key.name) for key in three.leader.machine.state.pipelines]
    for namespace, name in pipelines:
        path = f"/api/v1/namespaces/{namespace}/pipelines/{name}"
        (await three.leader.client.delete(path)).raise_for_status()
    told = (await three.ask(route, content=backup, headers=FILE)).json()
    assert told["pipelines"] == len(pipelines)
    assert all(await three.everywhere("/api/v1/pipelines/kept"))


OF_THE_CLUSTER: dict[str, Callable[[Three, str], Awaitable[None]]] = {
    "POST /api/v1/cluster/members": add_member,
    "DELETE /api/v1/cluster/members/{id}": remove_member,
    "POST /api/v1/cluster/members/{id}/leave": let_leave,
    "PUT /api/v1/cluster/members/{id}/drain": drain,
    "PUT /api/v1/cluster/members/{id}/undrain": undrain,
    "POST /api/v1/cluster/transfer-leadership": transfer,
    "POST /api/v1/cluster/snapshots": snapshot,
    "POST /api/v1/cluster/tokens": create_token,
    "DELETE /api/v1/cluster/tokens/{id}": revoke_token,
    "POST /api/v1/cluster/backup": restore,
}


@contextlib.asynccontextmanager
async def waiting(folder: Path, name: str) -> AsyncIterator[str]:
    """A node that waits to be let into a cluster. Gives where; at the end it belongs to one, and remembers it."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with data_dir(folder, name) as data:

        async def who(_: Who, __: Caller) -> Standing:
            return Standing(member=Member(data.identity.member, address), cluster=data.identity.cluster)

        async def own_way() -> str:
            return str(await asyncio.get_running_loop().create_future())

        rpc, inviting = RpcServer(Us(name), lambda _: False, secure=False), Inviting(data)
        inviting.answer(rpc)
        rpc.handle(WHO, who)
        async with listening(address, HttpServer(FastAPI()), tls=None) as listener, asyncio.TaskGroup() as tasks:
            listener.hear(RPC, rpc.accept)
            entering = tasks.create_task(inviting.cluster(own_way()))
            yield address
        assert entering.result() == data.identity.cluster == CLUSTER


@pytest.mark.parametrize("route", CHANGING)
async def test_a_change_that_a_follower_is_asked_for_is_made_and_known_to_all(three: Three, route: str) -> None:
    method, _, path = route.replace(":path}", "}").partition(" ")
    short = f"{method} {path.removeprefix(IN_NAMESPACE).removeprefix('/api/v1')}"
    if short in OF_PIPELINES:
        await of_a_pipeline(three, route, short)
    else:
        await OF_THE_CLUSTER[f"{method} {path}"](three, f"{method} {path}")
