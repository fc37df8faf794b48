"""A node whose disk is full: it confirms nothing, says what is wrong, and goes on by itself once there is room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.e2e.command import wire
from tests.e2e.nodes_kit import DEADLINE_S, NOT_THERE, NodeProcess, copying, create, endless, lines, numbered, reaches
from tests.services.disks import Disk, disk
from tests.waiting import comes_true, insist, until


async def says(client: httpx.AsyncClient, words: str) -> bool:
    """Whether the node says, when it is asked whether it is ready, that it is not for this reason."""
    answer = await insist(lambda: client.get("/readyz"), on=NOT_THERE, deadline_s=DEADLINE_S)
    return answer.status_code == 503 and words in answer.text


async def positions(client: httpx.AsyncClient, name: str) -> list[int]:
    found = await client.get(f"/api/v1/pipelines/{name}/checkpoints", params={"consistency": "stale"})
    return [each["seq"] for each in found.raise_for_status().json()["items"]]


async def confirms_nothing(client: httpx.AsyncClient) -> None:
    """Whoever changes or reads something is told what is wrong, and what to do, once it has not passed in time."""
    asked = client.put("/api/v1/pipelines/copy/pause"), client.get("/api/v1/pipelines/copy")
    for answer in await asyncio.gather(*asked):
        assert (answer.status_code, answer.json()["code"]) == (503, "raft.storage.full"), answer.text
        assert "No space left" in answer.json()["detail"]
        assert "free space" in answer.json()["hint"]


async def fills_up(node: NodeProcess, client: httpx.AsyncClient, its_disk: Disk) -> None:
    its_disk.fill()
    await comes_true(lambda: says(client, "[-]store failed: no room"), DEADLINE_S)
    await until(lambda: "raft_disk_full" in node.said, DEADLINE_S)


@pytest.mark.slow
async def test_a_node_with_a_full_disk_says_so_and_goes_on_once_there_is_room(tmp_path: Path) -> None:
    source, target = numbered(tmp_path / "in.jsonl", 1500), tmp_path / "out.jsonl"
    node = NodeProcess(tmp_path, "n1", "--allow-paths", tmp_path)
    with disk(tmp_path / "n1") as its_disk:
        async with node.running() as client:
            await create(client, copying("copy", source, target, rate=300))
            await until(lambda: lines(target) > 200, DEADLINE_S)
            await fills_up(node, client, its_disk)
            await until(lambda: "lease_lost" in node.said, DEADLINE_S)
            stands = await positions(client, "copy")
            command = wire("pipeline", "status", "copy", "--server", node.url, "--patience", "1s", cwd=tmp_path)
            _, asked = await asyncio.gather(confirms_nothing(client), command)
            assert (asked.code, "free space" in asked.err) == (3, True), asked.err
            assert await positions(client, "copy") == stands
        async with node.started() as client:  # killed and started while there is no room
            await comes_true(lambda: says(client, "[-]store failed: no room"), DEADLINE_S)
            its_disk.free()
            await node.ready(client)
            await reaches(client, "copy", "done")
    assert target.read_bytes() == source.read_bytes()


async def test_a_node_that_finds_no_room_at_its_first_start_says_so_and_founds_its_cluster_later(
    tmp_path: Path,
) -> None:
    node = NodeProcess(tmp_path, "n1")
    with disk(tmp_path / "n1", "8k") as its_disk:
        refused = await node.ends()
        assert refused.code != 0
        assert "error[raft.storage.full]: no room" in refused.err
        assert "start the node again" in refused.err, "it has ended, and does not go on by itself"
        its_disk.grow("32m")
        async with node.running() as client:
            await create(client, endless("p"))
