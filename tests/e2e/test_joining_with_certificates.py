"""Nodes that want to join, and certificates that are not accepted: by the members, or by the newcomer."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.certificates_kit import Certificates
from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess
from tests.waiting import until

UNAVAILABLE = 3


async def test_a_newcomer_of_another_authority_ends_and_says_whose_certificate_is_not_trusted(tmp_path: Path) -> None:
    here, elsewhere = Certificates(tmp_path / "here"), Certificates(tmp_path / "elsewhere")
    elsewhere.issue("n2")
    member = here.node(tmp_path, "n1")
    stranger = NodeProcess(tmp_path, "n2", *elsewhere.flags("n2"))
    async with member.running() as client:
        outcome = await stranger.ends("--join", member.address)
        assert len((await client.get("/api/v1/cluster")).json()["members"]) == 1
    assert outcome.code == UNAVAILABLE
    assert "error[rpc.untrusted_certificate]" in outcome.err
    assert member.address in outcome.err
    assert "hint: give both nodes certificates of the same authority" in outcome.err
    assert json.loads((stranger.folder / "node.json").read_text())["cluster"] is None


async def test_a_newcomer_whose_certificate_is_not_trusted_ends_and_says_so(tmp_path: Path) -> None:
    here, elsewhere = Certificates(tmp_path / "here"), Certificates(tmp_path / "elsewhere")
    elsewhere.issue("n2")
    both = tmp_path / "both.pem"
    both.write_bytes(here.ca.read_bytes() + elsewhere.ca.read_bytes())
    member = here.node(tmp_path, "n1")
    stranger = NodeProcess(tmp_path, "n2", *elsewhere.flags("n2", both))
    async with member.running():
        outcome = await stranger.ends("--join", member.address)
        assert "self-signed certificate" in member.said  # who refuses says so as well
    assert outcome.code == UNAVAILABLE
    assert "error[rpc.certificate_refused]" in outcome.err
    assert f"{member.address} does not accept this node's certificate: unknown ca" in outcome.err
    assert "hint: give both nodes certificates of the same authority" in outcome.err


async def test_a_newcomer_whose_certificate_has_expired_ends_and_says_how_to_renew_it(tmp_path: Path) -> None:
    here = Certificates(tmp_path / "here")
    here.issue_expired("n2")
    member, late = here.node(tmp_path, "n1"), NodeProcess(tmp_path, "n2", *here.flags("n2"))
    async with member.running():
        outcome = await late.ends("--join", member.address)
    assert outcome.code == UNAVAILABLE
    assert "error[rpc.certificate_refused]" in outcome.err
    assert f"{member.address} does not accept this node's certificate: certificate expired" in outcome.err
    assert "wire certs issue n2" in outcome.err


async def test_a_newcomer_warns_of_a_certificate_that_is_not_accepted_and_joins_once_it_is_renewed(
    tmp_path: Path,
) -> None:
    here = Certificates(tmp_path / "here")
    here.issue_expired("n2")
    member = here.node(tmp_path, "n1")
    late = NodeProcess(tmp_path, "n2", *here.flags("n2"), "--join", member.address, tls=here.client("ada"))
    async with member.running(), late.started() as client:
        await until(lambda: "cluster_awaited" in late.said, DEADLINE_S)
        (warning,) = (line for line in map(json.loads, late.said.splitlines()) if line["event"] == "cluster_awaited")
        assert (warning["level"], warning["code"]) == ("warning", "rpc.certificate_refused")
        assert "wire certs issue n2" in warning["hint"]
        here.issue("n2")
        await late.ready(client)


async def test_a_newcomer_joins_through_the_one_address_whose_certificate_is_right(tmp_path: Path) -> None:
    here, elsewhere = Certificates(tmp_path / "here"), Certificates(tmp_path / "elsewhere")
    member, foreign = here.node(tmp_path, "n1"), elsewhere.node(tmp_path, "m1")
    newcomer = here.node(tmp_path, "n2", "--join", foreign.address, "--join", member.address)
    async with member.running() as client, foreign.running(), newcomer.running():
        assert len((await client.get("/api/v1/cluster")).json()["members"]) == 2
