"""A node that waits somewhere is let in by a cluster that it knows nothing of."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess
from tests.e2e.test_three_nodes import certified, members
from tests.services.ports import free_ports
from tests.waiting import comes_true


@contextlib.asynccontextmanager
async def waiting(node: NodeProcess, nowhere: str) -> AsyncIterator[asyncio.Event]:
    """A node without a cluster, that asks for one where nobody is. Gives what is set when it is ready."""
    ready, over = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        async with node.running("--join", nowhere):
            ready.set()
            await over.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run())
        yield ready
        over.set()


async def test_a_node_that_waits_is_let_in_and_one_that_has_a_cluster_or_is_not_there_is_not(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_ports(1)[0]}"
    first, second, alone = await certified(tmp_path, ("n1", "n2", "n3"))
    for each in (second, alone):
        each.forget("--join")
    async with first.running() as client, waiting(second, nowhere) as ready:

        async def let_in() -> bool:
            answer = await add(client, second.address)
            assert answer.status_code in (201, 422), answer.text  # it may not listen yet
            return answer.status_code == 201

        await comes_true(let_in, DEADLINE_S)
        async with asyncio.timeout(DEADLINE_S):
            await ready.wait()
        assert sorted(await members(client)) == ["n1", "n2"]
        again = await add(client, second.address)
        assert (again.status_code, again.json()["code"]) == (409, "cluster.has_cluster")
        assert "this cluster already" in again.json()["detail"]
        nobody = await add(client, nowhere)
        assert (nobody.status_code, nobody.json()["code"]) == (422, "cluster.nobody_waits")
        assert "wire serve" in nobody.json()["hint"]
        async with alone.running():
            foreign = await add(client, alone.address)
        assert (foreign.status_code, foreign.json()["code"]) == (409, "cluster.has_cluster")
        assert "another cluster" in foreign.json()["detail"]
    assert "an invitation" in second.said


async def add(client: httpx.AsyncClient, address: str) -> httpx.Response:
    return await client.post("/api/v1/cluster/members", json={"address": address})
