"""Nodes of which one leaves, is removed, or is not heard of for too long."""

from __future__ import annotations

import contextlib
from pathlib import Path

import httpx
import pytest

from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess, copying, create, endless, lines, numbered, reaches
from tests.e2e.test_three_nodes import NAMES, certified, cluster, members, roles, settle
from tests.waiting import comes_true, insist, until


async def leader_of(client: httpx.AsyncClient) -> str:
    """The name of the node that leads, as one node knows."""
    led: str = (await client.get("/api/v1/cluster")).raise_for_status().json()["leader"] or ""
    return led.partition("/")[0]


async def leave(client: httpx.AsyncClient, name: str) -> None:
    """Ask for a node to leave, as soon as all nodes know how to."""

    async def attempt() -> None:
        (await client.post(f"/api/v1/cluster/members/{name}/leave")).raise_for_status()

    await insist(attempt, on=httpx.HTTPStatusError)


async def refused(node: NodeProcess) -> None:
    """Start a node that is no member any more, and see it end and say so."""
    again = await node.ends()
    assert again.code == 1
    assert "node.removed" in again.err
    assert "empty its data folder" in again.err


async def test_a_leader_that_leaves_hands_over_all_it_has_and_ends_and_can_not_come_back_as_it_is(
    tmp_path: Path,
) -> None:
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    names = [f"endless-{i}" for i in range(4)]
    async with cluster(tmp_path) as (nodes, clients):
        for name in names:
            await create(clients[0], endless(name))
        await create(clients[0], copying("copy", source, target, rate=600))
        await settle(clients[0], names, *NAMES)
        await until(lambda: lines(target) > 200, DEADLINE_S)
        leader = await leader_of(clients[0])
        leaving = nodes[NAMES.index(leader)]
        asked, other = (client for client, name in zip(clients, NAMES, strict=True) if name != leader)
        await leave(asked, leader)
        assert await leaving.ended() == 0
        left = [name for name in NAMES if name != leader]
        assert sorted(await members(asked)) == left
        await settle(other, names, *left)
        await reaches(other, "copy", "done")
        await refused(leaving)
    assert "node_left" in leaving.said
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.long
@pytest.mark.chaos
async def test_a_node_goes_on_leaving_under_another_leader_and_not_for_ever(tmp_path: Path) -> None:
    async with cluster(tmp_path, "--drain-timeout", "8s") as (nodes, clients):
        leader = await leader_of(clients[0])
        follower, other = (name for name in NAMES if name != leader)
        pinned = endless("pinned") | {"node_selector": {"only": follower}}
        await nodes[NAMES.index(follower)].kill()
        async with nodes[NAMES.index(follower)].running("--labels", f"only={follower}"):
            client = clients[NAMES.index(leader)]
            await create(client, pinned)
            await settle(client, ["pinned"], follower)  # what nobody else may run holds it up
            await leave(client, follower)
            handed = await client.post("/api/v1/cluster/transfer-leadership", json={"to": other})
            assert handed.status_code == 200, handed.text
            assert await nodes[NAMES.index(follower)].ended() == 0
            assert sorted(await members(client)) == sorted({leader, other})
    assert "leaves_with_tasks" in nodes[NAMES.index(other)].said


@pytest.mark.long
@pytest.mark.chaos
async def test_a_node_that_leaves_gives_its_vote_to_one_that_has_none(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        nodes = await certified(tmp_path, ("n1", "n2", "n3", "n4"), "--max-voters", "3")
        clients = [await stack.enter_async_context(node.running()) for node in nodes]
        await comes_true(lambda: has(clients[0], voter=2, nonvoter=1), DEADLINE_S)
        found = (await clients[0].get("/api/v1/cluster")).json()["members"]
        voter = next(each["name"] for each in found if each["role"] == "voter")
        asked = next(client for client, node in zip(clients, nodes, strict=True) if node.name != voter)
        await leave(asked, voter)
        assert await next(node for node in nodes if node.name == voter).ended() == 0
        await comes_true(lambda: has(asked, voter=2, nonvoter=0), DEADLINE_S)


async def has(client: httpx.AsyncClient, *, voter: int, nonvoter: int) -> bool:
    found = await roles(client)
    return (found["leader"], found["voter"], found["nonvoter"]) == (1, voter, nonvoter)


async def test_two_nodes_part_until_one_is_left_which_can_not_leave(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        nodes = await certified(tmp_path, ("n1", "n2"))
        clients = [await stack.enter_async_context(node.running()) for node in nodes]
        await comes_true(lambda: has(clients[0], voter=0, nonvoter=1), DEADLINE_S)
        await leave(clients[0], "n1")  # the only one that votes: n2 is given its vote first
        assert await nodes[0].ended() == 0
        last = await clients[1].post("/api/v1/cluster/members/n2/leave")
        assert (last.status_code, last.json()["code"]) == (409, "cluster.last_node")
        await create(clients[1], endless("endless"))
        await reaches(clients[1], "endless", "running")


async def test_a_node_that_is_needed_for_a_majority_is_not_removed_and_one_that_is_dead_is(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (nodes, clients):
        leader = await leader_of(clients[0])
        dead, live = (name for name in NAMES if name != leader)
        client = clients[NAMES.index(live)]
        await nodes[NAMES.index(dead)].kill()
        await comes_true(lambda: is_silent(clients[NAMES.index(leader)], dead), DEADLINE_S)
        kept = await client.delete(f"/api/v1/cluster/members/{live}")
        assert (kept.status_code, kept.json()["code"]) == (409, "cluster.quorum_at_risk")
        assert dead in kept.json()["detail"]
        kept = await client.post(f"/api/v1/cluster/members/{live}/leave")
        assert (kept.status_code, kept.json()["code"]) == (409, "cluster.quorum_at_risk")
        assert (await client.delete(f"/api/v1/cluster/members/{dead}")).status_code == 204
        assert (await client.delete(f"/api/v1/cluster/members/{live}")).status_code == 204
        assert await nodes[NAMES.index(live)].ended() == 1
        assert "node.removed" in nodes[NAMES.index(live)].said
        await refused(nodes[NAMES.index(dead)])


async def test_a_leader_that_dies_is_removed_by_the_next_one_which_is_found_by_who_was_asked(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (nodes, clients):
        leader = await leader_of(clients[0])
        asked = next(client for client, name in zip(clients, NAMES, strict=True) if name != leader)
        await nodes[NAMES.index(leader)].kill()
        answer = await asked.delete(f"/api/v1/cluster/members/{leader}")
        assert answer.status_code == 204, answer.text
        assert sorted(await members(asked)) == [name for name in NAMES if name != leader]


async def is_silent(client: httpx.AsyncClient, name: str) -> bool:
    found = (await client.get("/api/v1/cluster")).raise_for_status().json()["members"]
    return any(each["name"] == name and each["state"] == "silent" for each in found)


@pytest.mark.parametrize("role", ["voter", pytest.param("leader", marks=[pytest.mark.long, pytest.mark.chaos])])
async def test_one_that_votes_and_is_not_heard_of_for_long_is_reaped_and_one_that_did_not_vote_takes_its_place(
    tmp_path: Path, role: str
) -> None:
    pipelines = [f"endless-{i}" for i in range(4)]
    async with contextlib.AsyncExitStack() as stack:
        nodes = await certified(tmp_path, ("n1", "n2", "n3", "n4"), "--max-voters", "3", "--reap-after", "10s")
        clients = {node.name: await stack.enter_async_context(node.running()) for node in nodes}
        await comes_true(lambda: has(clients["n1"], voter=2, nonvoter=1), DEADLINE_S)
        for pipeline in pipelines:
            await create(clients["n1"], endless(pipeline))
        await settle(clients["n1"], pipelines, *clients)
        found = (await clients["n1"].get("/api/v1/cluster")).json()["members"]
        dead = next(node for node in nodes for each in found if (node.name, role) == (each["name"], each["role"]))
        await dead.kill()
        left = sorted(clients.keys() - {dead.name})
        await comes_true(lambda: has(clients[left[0]], voter=2, nonvoter=0), DEADLINE_S)
        assert sorted(await members(clients[left[0]])) == left
        await settle(clients[left[0]], pipelines, *left)
        assert any("member_reaped" in node.said for node in nodes)
        await refused(dead)


@pytest.mark.long
@pytest.mark.chaos
async def test_a_node_that_is_not_heard_of_for_long_is_reaped_and_its_tasks_go_to_others(tmp_path: Path) -> None:
    names = [f"endless-{i}" for i in range(4)]
    async with cluster(tmp_path, "--reap-after", "10s") as (nodes, clients):
        for name in names:
            await create(clients[0], endless(name))
        await settle(clients[0], names, *NAMES)
        await nodes[2].kill()
        await comes_true(lambda: has(clients[0], voter=1, nonvoter=0), DEADLINE_S)
        await settle(clients[1], names, "n1", "n2")
        assert any("member_reaped" in node.said for node in nodes[:2])
        await refused(nodes[2])
        assert (await clients[1].get("/status")).json()["counts"]["nodes"] == 2
        await nodes[1].kill()  # of two one is no majority: it is not reaped, and comes back
        async with nodes[1].running():
            await comes_true(lambda: has(clients[0], voter=1, nonvoter=0), DEADLINE_S)
