"""Certificates that are replaced under nodes at work: no restart, no leader lost, and the new ones are what counts."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from pathlib import Path

import httpx

from tests.e2e.command import wire
from tests.e2e.nodes_kit import DEADLINE_S, NOT_THERE, NodeProcess, create, endless, reaches, status
from tests.e2e.test_three_nodes import NAMES, cluster, have_votes, members
from tests.waiting import comes_true, insist
from wire.node.listener.listener import PROTOCOLS

DAY_S = 86_400


def shown_by(folder: Path, authority: str = "ca.pem") -> ssl.SSLContext:
    """What a user's certificate is shown with, and an authority trusted."""
    context = ssl.create_default_context(cafile=folder / "certs" / authority)
    context.load_cert_chain(folder / "certs" / "ada.pem", folder / "certs" / "ada.key")
    return context


async def served(node: NodeProcess, protocol: str) -> str:
    """The certificate that the node's port shows to who wants to speak a protocol, PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    host, port = node.address.split(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    secure = writer.get_extra_info("ssl_object")
    assert secure.selected_alpn_protocol() == protocol
    writer.transport.abort()
    return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True))


async def days_left(client: httpx.AsyncClient) -> float:
    """What /metrics says of the node's certificate."""
    lines = (await client.get("/metrics")).raise_for_status().text.splitlines()
    (left,) = (line.split()[1] for line in lines if line.startswith("wire_certificate_left_seconds"))
    return float(left) / DAY_S


async def calm(nodes: list[NodeProcess], clients: list[httpx.AsyncClient]) -> list[tuple[str, int, int]]:
    """Who leads as each node knows it, in which term, and how many connections to other members each has lost."""
    answers = [(await client.get("/api/v1/cluster")).raise_for_status().json() for client in clients]
    lost = [node.said.count("raft_peer_disconnected") for node in nodes]
    return [(each["leader"], each["term"], count) for each, count in zip(answers, lost, strict=True)]


async def issue(folder: Path, name: str, *flags: str) -> None:
    outcome = await wire("certs", "issue", name, "--replace", *flags, cwd=folder)
    assert outcome.code == 0, outcome.err


async def is_served_everywhere(node: NodeProcess, folder: Path) -> None:
    """Wait until every protocol of the port shows the certificate that is in the node's file."""
    issued = (folder / "certs" / f"{node.name}.pem").read_text()

    async def everywhere() -> bool:
        return all([await served(node, protocol) == issued for protocol in PROTOCOLS])

    await comes_true(everywhere, DEADLINE_S)


async def renew(folder: Path, nodes: list[NodeProcess], clients: list[httpx.AsyncClient], days: int) -> None:
    """Issue new certificates to all nodes, one after the other, and wait until each of them is in use."""
    for node, client in zip(nodes, clients, strict=True):
        await issue(folder, node.name, "--host", "127.0.0.1", "--days", str(days))
        await is_served_everywhere(node, folder)
        assert days - 1 < await days_left(client) <= days


async def test_renewed_certificates_are_served_by_every_protocol_and_no_leader_is_lost(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (nodes, clients):
        assert 364 < await days_left(clients[0]) <= 365
        await create(clients[0], endless("ticks"))
        await reaches(clients[0], "ticks", "running")
        job = (await status(clients[0], "ticks"))["job"]
        for days in (30, 60, 90):  # a machine that is too busy loses a leader, too, but not each time
            before = await calm(nodes, clients)
            await renew(tmp_path, nodes, clients, days)
            after = await calm(nodes, clients)
            if after == before:
                break
        assert after == before
        assert (await status(clients[0], "ticks"))["job"] == job
        assert all("certificate_renewed" in node.said for node in nodes)


async def test_the_authority_is_changed_as_the_page_on_certificates_says_without_an_end(tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    async with cluster(tmp_path) as (nodes, clients):
        known = await members(clients[0])
        old = (certs / "ca.pem").read_bytes()
        assert (await wire("certs", "init", "--dir", "next", cwd=tmp_path)).code == 0
        new, both = (tmp_path / "next" / "ca.pem").read_bytes(), certs / "both.pem"
        both.write_bytes(old + new)
        both.rename(certs / "ca.pem")
        for node in nodes:
            await comes_true(partial(said_renewals, node, 1), DEADLINE_S)
        for name in (*NAMES, "ada"):
            flags = ["--client"] if name == "ada" else ["--host", "127.0.0.1"]
            await issue(tmp_path, name, "--dir", "next", *flags)
            for file in (f"{name}.key", f"{name}.pem"):
                (tmp_path / "next" / file).rename(certs / file)
        for node in nodes:
            await is_served_everywhere(node, tmp_path)
        (tmp_path / "next" / "ca.pem").rename(certs / "ca.pem")
        for node in nodes:
            await comes_true(partial(said_renewals, node, 3), DEADLINE_S)
        await nodes[2].kill()
        await nodes[2].start()
        async with httpx.AsyncClient(base_url=nodes[2].url, verify=shown_by(tmp_path), timeout=30) as client:
            await insist(lambda: nodes[2].ready(client), on=NOT_THERE, deadline_s=DEADLINE_S)
            await comes_true(lambda: have_votes(client), DEADLINE_S)
            assert await members(client) == known
        assert all(node.is_up for node in nodes)


async def said_renewals(node: NodeProcess, times: int) -> bool:
    """Whether a node has taken new files so often."""
    return node.said.count("certificate_renewed") >= times
