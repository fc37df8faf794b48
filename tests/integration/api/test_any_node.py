"""Any node answers: what one confirms the others know, and what only the leader can do says who that is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.api.api_kit import Served, serving_all, spec
from tests.waiting import insist, until

ALL = "/api/v1/pipelines"


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[list[Served]]:
    async with serving_all(tmp_path, 3) as served:
        yield served


async def leader_of(nodes: list[Served]) -> Served:
    """Return the leader, once all agree on it."""

    def agreed() -> bool:
        leaders = {node.node.status().leader for node in nodes}
        return len(leaders) == 1 and None not in leaders

    await until(agreed)
    leader = nodes[0].node.status().leader
    return next(node for node in nodes if node.node.me == leader)


async def test_what_one_node_confirms_every_other_one_knows_at_once(nodes: list[Served]) -> None:
    for n, writer in enumerate(nodes * 3):
        made = await writer.client.post(ALL, json=spec(f"p{n}"))
        assert made.status_code == 201
        for reader in nodes:  # I7
            found = await reader.client.get(f"{ALL}/p{n}")
            assert (found.status_code, found.headers.get("etag")) == (200, made.headers["etag"])
            assert found.headers["x-wire-served-by"] == reader.node.me.name


async def test_of_changes_on_different_nodes_one_wins(nodes: list[Served]) -> None:
    made = await nodes[0].client.post(ALL, json=spec("a"))
    guard = {"if-match": made.headers["etag"]}
    codes = [
        (await node.client.put(f"{ALL}/a", json=spec("a", description=node.node.me.name), headers=guard)).status_code
        for node in nodes
    ]
    assert codes == [200, 412, 412]


async def test_a_request_repeated_on_another_node_is_carried_out_once(nodes: list[Served]) -> None:
    key = {"idempotency-key": "k"}
    made = [await node.client.post(ALL, json=spec("a"), headers=key) for node in nodes]
    assert [each.status_code for each in made] == [201] * 3
    assert len({each.json()["job_id"] for each in made}) == 1


async def test_only_the_leader_changes_the_members_and_the_others_say_who_it_is(nodes: list[Served]) -> None:
    leader = await leader_of(nodes)
    follower, other = (node for node in nodes if node is not leader)
    for response in (
        await follower.client.delete(f"/api/v1/cluster/members/{other.node.me.name}"),
        await follower.client.post("/api/v1/cluster/transfer-leadership"),
    ):
        assert (response.status_code, response.json()["code"]) == (421, "raft.not_leader")
        assert f"{leader.node.me.name} leads, at {leader.node.me.address}" in response.json()["detail"]
    handed = await leader.client.post("/api/v1/cluster/transfer-leadership", json={"to": follower.node.me.name})
    assert (handed.status_code, handed.json()["leader"]) == (200, follower.node.me.id)
    removed = await follower.client.delete(f"/api/v1/cluster/members/{other.node.me.name}")
    assert removed.status_code == 204
    members = (await follower.client.get("/api/v1/cluster")).json()["members"]
    assert {each["name"] for each in members} == {leader.node.me.name, follower.node.me.name}


async def test_the_leader_knows_of_all_whether_they_live_and_others_of_themselves(nodes: list[Served]) -> None:
    async def seen() -> None:
        leader = await leader_of(nodes)
        follower = next(node for node in nodes if node is not leader)
        members = (await leader.client.get("/api/v1/cluster")).json()["members"]
        assert [each["state"] for each in members] == ["live"] * 3
        assert sorted(each["role"] for each in members) == ["leader", "voter", "voter"]
        members = (await follower.client.get("/api/v1/cluster")).json()["members"]
        states = {each["name"]: each["state"] for each in members}
        assert sorted(states.values()) == ["live", "live", "unknown"]
        assert states[follower.node.me.name] == states[leader.node.me.name] == "live"

    await insist(seen, AssertionError)  # another one may come to lead in the middle of it
