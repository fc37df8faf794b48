"""Tokens where there are certificates: one is as needed as the other, and neither makes up for the other."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.e2e.certificates_kit import Certificates
from tests.e2e.command import Outcome
from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess
from tests.waiting import until

TOKENS = "/api/v1/cluster/tokens"
INVALID, UNAVAILABLE = 2, 3


async def made(client: httpx.AsyncClient, expires: str = "1h", uses: int = 1) -> dict[str, str]:
    response = await client.post(TOKENS, json={"expires": expires, "uses": uses})
    assert response.status_code == 201, response.text
    return dict(response.json())


async def members(client: httpx.AsyncClient) -> set[str]:
    found = (await client.get("/api/v1/cluster")).raise_for_status().json()["members"]
    return {member["name"] for member in found}


async def turned_away(node: NodeProcess, member: NodeProcess, *flags: str) -> Outcome:
    """Start a node that is not let in, and return how it ends."""
    outcome = await node.ends("--join", member.address, *flags)
    kept = json.loads((node.folder / "node.json").read_text())
    assert (kept["cluster"], (node.folder / "raft").exists()) == (None, False)
    return outcome


async def test_a_certificate_without_a_good_token_lets_nobody_in_where_one_is_asked_for(tmp_path: Path) -> None:
    pki = Certificates(tmp_path / "certs")
    here = pki.node(tmp_path, "n1", "--join-requires", "token")
    elsewhere = pki.node(tmp_path, "m1")  # another cluster, of the same authority
    newcomer = pki.node(tmp_path, "n2")
    async with here.running() as client, elsewhere.running() as other:
        past, foreign = await made(client, expires="1s"), await made(other)
        none = await turned_away(newcomer, here)
        unknown = await turned_away(newcomer, here, "--join-token", foreign["token"])
        await until(lambda: datetime.now(UTC) > datetime.fromisoformat(past["expires_at"]), DEADLINE_S)
        expired = await turned_away(newcomer, here, "--join-token", past["token"])
        assert await members(client) == {"n1"}
    for outcome, code in (
        (none, "cluster.token_required"),
        (unknown, "cluster.unknown_token"),
        (expired, "cluster.token_expired"),
    ):
        assert outcome.code == INVALID, outcome.err
        assert f"error[{code}]" in outcome.err
        assert "hint: `wire cluster token create`" in outcome.err
    for token in (past, foreign):
        for said in (here.said, unknown.err, expired.err):
            assert token["token"].partition(".")[2] not in said


async def test_a_token_for_two_lets_two_nodes_with_certificates_in_and_no_third(tmp_path: Path) -> None:
    pki = Certificates(tmp_path / "certs")
    here = pki.node(tmp_path, "n1", "--join-requires", "token")
    async with here.running() as client:
        token = (await made(client, uses=2))["token"]
        joining = ("--join", here.address, "--join-token", token)
        async with pki.node(tmp_path, "n2", *joining).running(), pki.node(tmp_path, "n3", *joining).running():
            assert await members(client) == {"n1", "n2", "n3"}
            late = await turned_away(pki.node(tmp_path, "n4"), here, "--join-token", token)
            assert await members(client) == {"n1", "n2", "n3"}
    assert late.code == INVALID
    assert "error[cluster.token_used_up]" in late.err


async def test_a_token_without_a_certificate_lets_nobody_in_and_is_not_used_up(tmp_path: Path) -> None:
    pki = Certificates(tmp_path / "certs")
    here = pki.node(tmp_path, "n1", "--join-requires", "token")
    async with here.running() as client:
        token = (await made(client))["token"]
        outcome = await turned_away(NodeProcess(tmp_path, "n2"), here, "--join-token", token)
        assert (await client.get(TOKENS)).json()["items"][0]["uses_left"] == 1
        assert await members(client) == {"n1"}
    assert outcome.code == UNAVAILABLE
    assert "error[node.no_certificate]" in outcome.err
    assert "hint: give it one with --ca, --cert and --key: `wire certs issue` makes it" in outcome.err
    assert token.partition(".")[2] not in here.said + outcome.err
