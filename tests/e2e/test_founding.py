"""Blank nodes that are started with the same flags found one cluster, whoever is late, killed, or without its disk."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.command import wire
from tests.e2e.nodes_kit import DEADLINE_S, NOT_THERE, NodeProcess
from tests.e2e.test_three_nodes import certified
from tests.waiting import comes_true, insist, until


def blank(folder: Path, count: int = 3) -> list[NodeProcess]:
    """So many nodes, each with the addresses of all of them, its own among them."""
    nodes = [NodeProcess(folder, f"n{i}") for i in range(1, count + 1)]
    addresses = ",".join(node.address for node in nodes)
    for node in nodes:
        node.flags = ("--join", addresses, "--bootstrap-expect", str(count))
    return nodes


@contextlib.asynccontextmanager
async def started(*nodes: NodeProcess) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(node.started()) for node in nodes]


@contextlib.asynccontextmanager
async def founded(*nodes: NodeProcess) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with started(*nodes) as clients:
        for node, client in zip(nodes, clients, strict=True):
            await node.ready(client)
        yield clients


async def cluster(client: httpx.AsyncClient) -> dict[str, Any]:
    return dict((await client.get("/api/v1/cluster")).raise_for_status().json())


async def ids(clients: list[httpx.AsyncClient]) -> set[str]:
    return {(await cluster(client))["cluster_id"] for client in clients}


async def votes(client: httpx.AsyncClient, count: int) -> bool:
    members = (await cluster(client))["members"]
    return sum(member["role"] in ("leader", "voter") for member in members) == len(members) == count


def on_disk(node: NodeProcess) -> dict[str, Any]:
    return dict(json.loads((node.folder / "node.json").read_text()))


def has_begun(node: NodeProcess) -> bool:
    kept = on_disk(node) if (node.folder / "node.json").exists() else {"agreed": None, "cluster": None}
    return bool(kept["agreed"] or kept["cluster"])


async def waits(node: NodeProcess, client: httpx.AsyncClient, text: str) -> None:
    """Wait until a node says that it waits for something."""

    async def says_so() -> bool:
        response = await insist(lambda: client.get("/readyz"), on=NOT_THERE, deadline_s=DEADLINE_S)
        assert node.process.returncode is None, node.said
        assert response.status_code == 503, response.text
        assert response.text.startswith("[-]node failed: it belongs to no cluster yet")
        return text in response.text

    await comes_true(says_so, DEADLINE_S)


async def test_three_nodes_that_are_started_at_once_found_one_cluster_in_which_all_have_a_vote(tmp_path: Path) -> None:
    nodes = blank(tmp_path)
    async with founded(*nodes) as clients:
        assert len(await ids(clients)) == 1
        for client in clients:
            assert await votes(client, 3)
        (id_,) = await ids(clients)
    async with founded(*nodes) as clients:  # they are what they were
        assert await ids(clients) == {id_}


async def test_nodes_with_certificates_found_a_cluster_as_those_without_do(tmp_path: Path) -> None:
    nodes = await certified(tmp_path)
    addresses = ",".join(node.address for node in nodes)
    for node in nodes:
        node.flags += ("--join", addresses, "--bootstrap-expect", "3")
    async with founded(*nodes) as clients:
        assert len(await ids(clients)) == 1
        assert await votes(clients[0], 3)


async def test_two_of_three_wait_for_the_third_and_say_so(tmp_path: Path) -> None:
    nodes = blank(tmp_path)
    async with started(*nodes[:2]) as clients:
        for node, client in zip(nodes, clients, strict=False):
            await waits(node, client, f"no answer from {nodes[2].address}")
        assert on_disk(nodes[0])["agreed"] is None
        async with nodes[2].running() as late:
            for node, client in zip(nodes, clients, strict=False):
                await node.ready(client)
            assert len(await ids([*clients, late])) == 1
    assert "cluster_awaited" in nodes[0].said
    assert nodes[0].said.count("cluster_awaited") < 5


async def test_a_node_that_is_killed_while_they_found_it_is_one_of_them_when_it_is_back(
    tmp_path: Path,
) -> None:
    nodes = blank(tmp_path)
    async with started(*nodes) as clients:
        await until(lambda: has_begun(nodes[0]), DEADLINE_S)
        await nodes[2].kill()
        async with nodes[2].running() as third:
            for node, client in zip(nodes, clients, strict=False):
                if node is not nodes[2]:
                    await node.ready(client)
            assert len(await ids([*clients[:2], third])) == 1


async def test_a_founder_that_lost_its_disk_joins_again(tmp_path: Path) -> None:
    nodes = blank(tmp_path)
    async with founded(*nodes) as clients:
        (id_,) = await ids(clients)
        await nodes[0].kill()
        shutil.rmtree(nodes[0].folder)
        async with nodes[0].running() as again:
            assert await ids([again, *clients[1:]]) == {id_}
            await comes_true(lambda: votes(again, 3), DEADLINE_S)


async def test_a_founder_that_lost_its_disk_waits_while_the_others_are_away(tmp_path: Path) -> None:
    nodes = blank(tmp_path)
    async with founded(*nodes) as clients:
        (id_,) = await ids(clients)
    shutil.rmtree(nodes[0].folder)
    async with started(nodes[0]) as (first,):
        await waits(nodes[0], first, "no answer from")
        async with founded(*nodes[1:]) as others:
            await nodes[0].ready(first)
            assert await ids([first, *others]) == {id_}


async def test_two_founders_without_their_disks_found_nothing_with_the_survivor_away_or_there(tmp_path: Path) -> None:
    nodes = blank(tmp_path)
    async with founded(*nodes):
        pass
    for node in nodes[:2]:
        shutil.rmtree(node.folder)
    async with started(*nodes[:2]) as clients:
        for node, client in zip(nodes, clients, strict=False):
            await waits(node, client, f"no answer from {nodes[2].address}")
        async with started(nodes[2]):
            for node, client in zip(nodes, clients, strict=False):
                await waits(node, client, "has not let it in")  # it has lost its majority, and says which cluster it is
    assert on_disk(nodes[0])["cluster"] is None
    assert on_disk(nodes[2])["cluster"] is not None


async def test_a_node_that_has_agreed_does_not_found_a_cluster_of_its_own(tmp_path: Path) -> None:
    nodes = blank(tmp_path)
    async with started(nodes[0]) as (client,):
        await waits(nodes[0], client, "no answer from")
    kept = on_disk(nodes[0])
    members = [{"id": f"n{i}/x", "address": node.address} for i, node in enumerate(nodes, 1)]
    members[0]["id"] = f"n1/{kept['incarnation']}"
    (nodes[0].folder / "node.json").write_text(json.dumps(kept | {"agreed": members}))
    alone = await wire(
        "serve", "--node-id", "n1", "--listen", nodes[0].address, "--data-dir", nodes[0].folder, cwd=tmp_path
    )
    assert alone.code == 2
    assert "node.founding" in alone.err
    assert "--bootstrap-expect 3" in alone.err
    assert not (nodes[0].folder / "raft").exists()
