"""Nodes come back at other addresses and are found again: one of three, two of them, and all at once."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.e2e.nodes_kit import DEADLINE_S, NOT_THERE, NodeProcess, create, endless, reaches
from tests.e2e.test_three_nodes import cluster
from tests.services.ports import free_ports
from tests.waiting import comes_true, insist


@pytest.mark.timeout(900)  # nine starts of nodes, which take long where many tests share the cores
async def test_nodes_that_come_back_at_other_addresses_are_found_again(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (nodes, clients), contextlib.AsyncExitStack() as stack:
        await create(clients[0], endless("endless"))
        await reaches(clients[0], "endless", "running")
        for moving in (1, 2, 3):
            await move_and_be_found(stack, nodes, nodes[-moving:])


async def move_and_be_found(
    stack: contextlib.AsyncExitStack, nodes: Sequence[NodeProcess], moved: Sequence[NodeProcess]
) -> None:
    """Kill some nodes and start them at other addresses, and see that all go on."""
    for node in moved:
        await node.kill()
    for node, port in zip(moved, free_ports(len(moved)), strict=True):
        node.moves(f"127.0.0.1:{port}")
    # of those that have all moved somebody has to say where: one of them is enough
    named = ["--join", ",".join(node.address for node in nodes)] if len(moved) == len(nodes) else []
    client, *_ = [await stack.enter_async_context(node.started(*named)) for node in moved]
    await comes_true(lambda: are_known(client, {node.name: node.address for node in nodes}), DEADLINE_S)
    await insist(lambda: fresh(client), on=NOT_THERE, deadline_s=DEADLINE_S)
    await reaches(client, "endless", "running")


async def are_known(client: httpx.AsyncClient, addresses: dict[str, str]) -> bool:
    """Whether a node knows that the members are reached there."""
    try:
        answer = (await client.get("/api/v1/cluster")).raise_for_status()
    except NOT_THERE:
        return False
    return {each["name"]: each["address"] for each in answer.json()["members"]} == addresses


async def fresh(client: httpx.AsyncClient) -> None:
    """Read what a majority has."""
    (await client.get("/api/v1/pipelines/endless")).raise_for_status()
