"""Nodes that join with a token, and those that may not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx

from tests.e2e.command import Outcome, wire
from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess
from tests.waiting import comes_true, until

TOKENS = "/api/v1/cluster/tokens"


async def made(client: httpx.AsyncClient) -> str:
    response = await client.post(TOKENS, json={"expires": "1h"})
    assert response.status_code == 201, response.text
    return str(response.json()["token"])


async def attempt(folder: Path, member: NodeProcess, token: str | None) -> Outcome:
    """Start a node that is to join, and wait for its end."""
    node = NodeProcess(folder, "n9")
    environ = {} if token is None else {"WIRE_JOIN_TOKEN": token}
    arguments = ("--node-id", "n9", "--listen", node.address, "--data-dir", node.folder, "--join", member.address)
    outcome = await wire("serve", *arguments, cwd=folder, environ=environ)
    kept = json.loads((node.folder / "node.json").read_text())
    assert (kept["cluster"], (node.folder / "raft").exists()) == (None, False)
    return outcome


async def test_a_node_joins_with_a_token_which_is_used_up_then(tmp_path: Path) -> None:
    first, second = NodeProcess(tmp_path, "n1", "--join-requires", "token"), NodeProcess(tmp_path, "n2")
    async with first.running() as client:
        token = await made(client)
        async with second.running("--join", first.address, "--join-token", token) as other:
            assert (await client.get(TOKENS)).json()["items"][0]["uses_left"] == 0
            assert (await made(other)).count(".") == 1  # by whoever leads
        async with second.running("--join", first.address, "--join-token", token):  # it is a member already
            pass
        again = await attempt(tmp_path, first, token)
        none = await attempt(tmp_path, first, None)
    assert again.code == none.code == 2
    assert "cluster.token_used_up" in again.err
    assert "cluster.token_required" in none.err
    assert "WIRE_JOIN_TOKEN" in none.err
    secret = token.partition(".")[2]
    for text in (first.said, second.said, again.err):
        assert secret not in text


async def test_another_clusters_token_is_refused_also_where_none_is_asked_for(tmp_path: Path) -> None:
    here, elsewhere = NodeProcess(tmp_path, "n1"), NodeProcess(tmp_path, "m1")
    async with here.running() as client, elsewhere.running() as other:
        foreign = await attempt(tmp_path, here, await made(other))
        assert foreign.code == 2
        assert "cluster.unknown_token" in foreign.err
        assert "another cluster's" in foreign.err
        assert "wire cluster token create" in foreign.err
        revoked = await made(client)
        assert (await client.delete(f"{TOKENS}/{revoked.partition('.')[0]}")).status_code == 204
        refused = await attempt(tmp_path, here, revoked)
        assert (refused.code, "cluster.unknown_token" in refused.err) == (2, True)
        assert len((await client.get("/api/v1/cluster")).json()["members"]) == 1


async def test_a_node_at_any_free_port_is_a_member_at_that_one(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, "n1", "--listen", "127.0.0.1:0")
    for _ in range(2):  # at another one after a restart
        async with node.started():
            await until(lambda: "/docs" in node.said, DEADLINE_S)
            (address,) = re.findall(r"http://([\d.:]+)/docs", node.said)
            await is_member_at(address)


async def is_member_at(address: str) -> None:
    """Wait until who answers at an address is known to be reached there."""
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as client:

        async def known() -> bool:
            (member,) = (await client.get("/api/v1/cluster")).raise_for_status().json()["members"]
            return bool(member["address"] == address)

        await comes_true(known, DEADLINE_S)
