"""Nodes come back at other addresses and are found again: one of three, two of them, and all at once."""

from __future__ import annotations

import contextlib
from pathlib import Path

import httpx
import pytest

from tests.e2e.nodes_kit import DEADLINE_S, NOT_THERE, create, endless, reaches
from tests.e2e.test_three_nodes import NAMES, cluster
from tests.services.ports import free_ports
from tests.waiting import comes_true, insist

RARER = [pytest.mark.long, pytest.mark.chaos]


@pytest.mark.parametrize("moving", [pytest.param(1, marks=RARER), 2, pytest.param(3, marks=RARER)])
async def test_nodes_that_come_back_at_other_addresses_are_found_again(tmp_path: Path, moving: int) -> None:
    async with cluster(tmp_path) as (nodes, clients), contextlib.AsyncExitStack() as stack:
        await create(clients[0], endless("endless"))
        await reaches(clients[0], "endless", "running")
        moved = nodes[-moving:]
        for node in moved:
            await node.kill()
        for node, port in zip(moved, free_ports(moving), strict=True):
            node.moves(f"127.0.0.1:{port}")
        # of those that have all moved somebody has to say where: one of them is enough
        named = ["--join", ",".join(node.address for node in nodes)] if moving == len(nodes) else []
        started = [await stack.enter_async_context(node.started(*named)) for node in moved]
        wanted = {name: node.address for name, node in zip(NAMES, nodes, strict=True)}

        async def found() -> bool:
            try:
                answer = (await started[0].get("/api/v1/cluster")).raise_for_status()
            except NOT_THERE:
                return False
            return {each["name"]: each["address"] for each in answer.json()["members"]} == wanted

        await comes_true(found, DEADLINE_S)
        await insist(lambda: fresh(started[0]), on=NOT_THERE, deadline_s=DEADLINE_S)
        await reaches(started[0], "endless", "running")


async def fresh(client: httpx.AsyncClient) -> None:
    """Read what a majority has."""
    (await client.get("/api/v1/pipelines/endless")).raise_for_status()
