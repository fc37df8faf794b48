"""Nodes of an older build among those of this one: upgraded one by one, and started again too late."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from pathlib import Path

import httpx
import pytest

from tests.e2e import older_build
from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess, copying, create, endless, numbered, reaches
from tests.e2e.test_backup import BACKUP, FILE
from tests.e2e.test_members import leader_of
from tests.e2e.test_three_nodes import NAMES, have_votes, members, places, settle
from tests.waiting import comes_true, insist
from wire import __version__
from wire.cluster.encoding import NEWEST

OLDER = (sys.executable, "-P", older_build.__file__)
THIS = ()


@contextlib.asynccontextmanager
async def cluster(
    folder: Path, build: Sequence[str]
) -> AsyncIterator[tuple[list[NodeProcess], list[httpx.AsyncClient]]]:
    """Three nodes of a build, once each has a vote."""
    nodes: list[NodeProcess] = []
    async with contextlib.AsyncExitStack() as stack:
        clients: list[httpx.AsyncClient] = []
        for name in NAMES:
            flags = ["--join", nodes[0].address] if nodes else []
            nodes.append(NodeProcess(folder, name, "--allow-paths", folder, *flags, prefix=build))
            clients.append(await stack.enter_async_context(nodes[-1].running()))
        await comes_true(lambda: have_votes(clients[0]), DEADLINE_S)
        yield nodes, clients


async def is_upgraded(node: NodeProcess, client: httpx.AsyncClient) -> None:
    """Start a node as one of this build, and wait until it has its vote and has told the others what it is."""
    node.prefix = THIS
    await node.start()
    await node.ready(client)
    await comes_true(lambda: have_votes(client), DEADLINE_S)

    async def told() -> bool:
        return (await releases(client))[node.name] == __version__

    await comes_true(told, DEADLINE_S)


async def enabled(client: httpx.AsyncClient) -> int:
    """The version of commands that may be proposed, as one node knows."""
    return int((await client.get("/status")).raise_for_status().json()["command_version"])


async def releases(client: httpx.AsyncClient) -> dict[str, str]:
    """What each node says that it is of."""
    found = (await client.get("/api/v1/cluster")).raise_for_status().json()["members"]
    return {member["name"]: member["release"] for member in found}


async def lets_lead(client: httpx.AsyncClient, name: str) -> None:
    """Have a node lead, once it has caught up."""

    async def attempt() -> None:
        if await leader_of(client) != name:
            (await client.post("/api/v1/cluster/transfer-leadership", json={"to": name})).raise_for_status()

    await insist(attempt, on=httpx.HTTPError, deadline_s=DEADLINE_S)


async def does_its_work(client: httpx.AsyncClient, name: str) -> None:
    """See the cluster make a pipeline and run it: meanwhile the leader looks several times, and enables what it may."""
    await create(client, endless(name))
    await reaches(client, name, "running")
    deleted = await client.delete(f"/api/v1/pipelines/{name}")
    assert deleted.status_code == 204, deleted.text


async def refuses_newer_commands(clients: list[httpx.AsyncClient]) -> None:
    for client in clients:
        assert await enabled(client) == 1
        refused = await client.post(f"/api/v1/cluster/members/{NAMES[0]}/leave")
        assert (refused.status_code, refused.json()["code"]) == (409, "cluster.version_not_enabled"), refused.text
        assert "upgrade all nodes" in refused.json()["hint"]


async def commits(client: httpx.AsyncClient, pipelines: Iterable[str]) -> list[int]:
    """How often each of these pipelines has committed."""
    found = [(await client.get(f"/api/v1/pipelines/{name}/checkpoints")).raise_for_status() for name in pipelines]
    return [sum(int(each["seq"]) for each in answer.json()["items"]) for answer in found]


async def all_move(client: httpx.AsyncClient, pipelines: Collection[str]) -> None:
    """Wait until each of these pipelines has committed more than now."""
    before = await commits(client, pipelines)

    async def moved() -> bool:
        return all(now > then for now, then in zip(await commits(client, pipelines), before, strict=True))

    await comes_true(moved, DEADLINE_S)


@pytest.mark.slow
async def test_newer_commands_are_enabled_with_the_last_node_that_is_upgraded_and_no_record_is_missing_or_twice(
    tmp_path: Path,
) -> None:
    source, targets = numbered(tmp_path / "in.jsonl"), [tmp_path / f"out-{i}.jsonl" for i in range(3)]
    specs = {target.stem: copying(target.stem, source, target, rate=20) for target in targets}
    async with cluster(tmp_path, OLDER) as (nodes, clients):
        for spec in specs.values():
            await create(clients[0], spec)
        await settle(clients[0], list(specs), *NAMES)
        await refuses_newer_commands(clients)
        for upgraded, node in enumerate(nodes[:2], 1):
            assert await node.stop() == 0
            await is_upgraded(node, clients[upgraded - 1])
            assert Counter((await releases(clients[2])).values()) == {
                __version__: upgraded,
                older_build.RELEASE: 3 - upgraded,
            }
            await all_move(clients[2], specs)
            for leader in (node.name, NAMES[2]):  # one of this build, and one of the older
                await lets_lead(clients[0], leader)
                await does_its_work(clients[1], f"{leader}-leads-{upgraded}")
                await refuses_newer_commands(clients)
        assert await nodes[2].stop() == 0
        await refuses_newer_commands(clients[:2])  # it may come back as it was
        await is_upgraded(nodes[2], clients[2])
        await comes_true(lambda: is_enabled(*clients), DEADLINE_S)
        for name, spec in specs.items():
            faster = spec | {"transforms": [{"rate_limit": {"rate": 3000}}]}
            (await clients[1].put(f"/api/v1/pipelines/{name}", json=faster)).raise_for_status()
            await reaches(clients[1], name, "done")
        leaves = await clients[1].post(f"/api/v1/cluster/members/{NAMES[2]}/leave")
        assert leaves.status_code == 202, leaves.text
        assert await nodes[2].ended() == 0
    for target in targets:
        assert target.read_bytes() == source.read_bytes()


async def is_enabled(*clients: httpx.AsyncClient) -> bool:
    """Whether all these nodes know that all there is may be proposed."""
    return {await enabled(client) for client in clients} == {NEWEST}


async def halts(node: NodeProcess, code: str, hint: str) -> None:
    """Start a node as an older build, and see it end by itself and say why."""
    node.prefix = OLDER
    await node.start()
    assert await node.ended() == 1
    assert f"error[{code}]: " in node.said
    assert hint in node.said.partition("hint: ")[2]
    assert "Traceback" not in node.said


@pytest.mark.slow
async def test_an_older_build_that_comes_too_late_says_so_and_ends_and_this_one_goes_on_in_its_folder(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path, THIS) as (nodes, clients):
        node, client = nodes[2], clients[2]
        await comes_true(lambda: is_enabled(client), DEADLINE_S)
        before = await members(client)

        assert await node.stop() == 0
        await halts(node, "cluster.node_too_old", "upgrade this node")
        await is_upgraded(node, client)

        backup = (await client.get(BACKUP)).raise_for_status().content
        assert await node.stop() == 0
        restored = await clients[0].post(BACKUP, content=backup, headers=FILE)  # by a command of version 2
        assert restored.status_code == 200, restored.text
        await halts(node, "cluster.unknown_command", "upgrade Wire on this node and start it again")
        await is_upgraded(node, client)
        await create(client, endless("kept"))
        await reaches(client, "kept", "running")

        (await client.post("/api/v1/cluster/snapshots")).raise_for_status()
        assert await node.stop() == 0
        await halts(node, "cluster.unknown_snapshot", "upgrade Wire on this node and start it again")
        await is_upgraded(node, client)
        await reaches(client, "kept", "running")
        assert await members(client) == before
        assert (await places(client, "kept")).total() == 2
