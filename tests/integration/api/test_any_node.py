"""Any node answers: what one confirms the others know, and what only the leader can do it has the leader do."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.api.api_kit import CLUSTER, Served, serving_all, spec
from tests.waiting import insist, until
from wire.core.errors import FatalError, RetryableError
from wire.node.calls import LEAVE, REMOVE, Change, Changed
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import Caller, Us

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


async def test_the_members_are_changed_through_any_node_and_all_answer_the_same(nodes: list[Served]) -> None:
    leader = await leader_of(nodes)
    follower, other = (node for node in nodes if node is not leader)
    for asked in (follower, leader):
        unknown = await asked.client.delete("/api/v1/cluster/members/n9")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "raft.unknown_member")
    handed = await follower.client.post("/api/v1/cluster/transfer-leadership", json={"to": follower.node.me.name})
    assert (handed.status_code, handed.json()["leader"]) == (200, follower.node.me.id)
    again = await other.client.post("/api/v1/cluster/transfer-leadership", json={"to": follower.node.me.name})
    assert (again.status_code, again.json()["leader"]) == (200, follower.node.me.id)
    removed = await leader.client.delete(f"/api/v1/cluster/members/{other.node.me.name}")
    assert removed.status_code == 204
    members = (await follower.client.get("/api/v1/cluster")).json()["members"]
    assert {each["name"] for each in members} == {leader.node.me.name, follower.node.me.name}


async def test_a_leader_that_is_removed_hands_over_and_the_next_one_removes_it(nodes: list[Served]) -> None:
    leader = await leader_of(nodes)
    follower = next(node for node in nodes if node is not leader)
    removed = await follower.client.delete(f"/api/v1/cluster/members/{leader.node.me.name}")
    assert removed.status_code == 204, removed.text
    assert leader.node.me.id in follower.node.members().removed


async def test_of_what_a_leader_did_not_answer_it_is_said_that_nobody_knows(nodes: list[Served]) -> None:
    leader = await leader_of(nodes)
    follower = next(node for node in nodes if node is not leader)

    async def late(_: Change, __: Caller) -> Changed:
        raise RetryableError("rpc.timeout", "it took longer than it may")  # as a node says it of any call

    leader.rpc.handle(REMOVE, late)
    unknown = await follower.client.delete("/api/v1/cluster/members/n9")
    assert (unknown.status_code, unknown.json()["code"]) == (503, "cluster.outcome_unknown")
    assert int(unknown.headers["retry-after"]) >= 1


async def test_who_is_no_member_can_not_change_the_members(nodes: list[Served]) -> None:
    leader = await leader_of(nodes)
    stranger = RpcClient(Us("n9", CLUSTER), leader.node.me.address, tls=None, rng=random.Random(1))
    async with stranger:
        for method in (REMOVE, LEAVE):
            with pytest.raises(FatalError) as refused:
                await stranger.call(method, Change("n1", "ada", b""), timeout_s=30)
            assert refused.value.code == "rpc.members_only"


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
