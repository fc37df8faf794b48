"""Whatever bad comes to the port of a node: counted in its metrics by code, and the node goes on."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.e2e.nodes_kit import NodeProcess, create, endless, reaches
from tests.integration.raft.transport_kit import Pki, hello, stranger
from tests.unit.node.metrics.kit import read
from tests.waiting import comes_true
from wire.raft import Member, MemberId
from wire.raft.transport.framing import framed
from wire.raft.transport.handshake import ALPN
from wire.raft.transport.ports import TransportSettings
from wire.raft.transport.tls import client_context

PORT, RAFT = "wire_port_refused_connections_total", "wire_raft_refused_connections_total"
TOO_LONG = (TransportSettings().max_frame_bytes + 1).to_bytes(4, "big")


class Case(NamedTuple):
    """What somebody shows and says, and where that is counted; nothing said is a greeting without a flaw."""

    dials: Callable[[Pki], ssl.SSLContext | None]
    says: bytes | dict[str, Any]
    metric: str
    code: str


def without_certificate(pki: Pki) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=pki.good("n1").ca)
    context.check_hostname = False
    context.set_alpn_protocols([ALPN])
    return context


def of_old_tls(pki: Pki) -> ssl.SSLContext:
    context = client_context(pki.good("n2"))
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


CASES = {
    "another authority's certificate": Case(lambda pki: client_context(pki.foreign("n2")), {}, PORT, "node.tls"),
    "an expired certificate": Case(lambda pki: client_context(pki.expired("n2")), {}, PORT, "node.tls"),
    "old tls": Case(of_old_tls, {}, PORT, "node.tls"),
    "garbage for a handshake": Case(lambda _: None, b"\xff" * 100, PORT, "node.tls"),
    "no certificate": Case(without_certificate, {}, PORT, "node.no_certificate"),
    "another name's certificate": Case(lambda pki: client_context(pki.good("x")), {}, RAFT, "raft.wrong_certificate"),
    "another cluster": Case(
        lambda pki: client_context(pki.good("n2")), {"cluster": "another"}, RAFT, "raft.wrong_cluster"
    ),
    "a newer protocol": Case(
        lambda pki: client_context(pki.good("n2")), {"oldest": 2, "newest": 3}, RAFT, "raft.incompatible_protocol"
    ),
    "garbage for a greeting": Case(
        lambda pki: client_context(pki.good("n2")), b"\xff" * 100, RAFT, "raft.protocol_fault"
    ),
    "a frame that is too long": Case(lambda pki: client_context(pki.good("n2")), TOO_LONG, RAFT, "raft.protocol_fault"),
}


@contextlib.asynccontextmanager
async def secured(folder: Path, pki: Pki) -> AsyncIterator[tuple[NodeProcess, httpx.AsyncClient]]:
    """A node with a certificate, a pipeline at work, and whoever may ask it."""
    files, asking = pki.good("n1"), pki.good("ada")
    context = ssl.create_default_context(cafile=files.ca)
    context.check_hostname = False
    context.load_cert_chain(asking.cert)
    node = NodeProcess(folder, "n1", "--ca", files.ca, "--cert", files.cert, tls=context)
    async with node.running() as client:
        await create(client, endless("endless"))
        yield node, client


async def test_all_that_is_turned_away_at_the_port_is_counted_and_does_no_harm(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    async with secured(tmp_path, pki) as (node, client):
        cluster = (await client.get("/api/v1/cluster")).raise_for_status().json()
        there = Member(MemberId(cluster["members"][0]["id"]), node.address)

        async def counted(case: Case) -> float:
            return read((await client.get("/metrics")).raise_for_status().text).get(
                f"{case.metric}{{code={case.code}}}", 0
            )

        for name, case in CASES.items():
            before = await counted(case)
            with contextlib.suppress(OSError):
                async with stranger(Reached(there), case.dials(pki)) as guest:
                    await guest.say(case.says if isinstance(case.says, bytes) else greeting(there, cluster, case.says))
                    await guest.ended()

            async def more(case: Case = case, before: float = before) -> bool:
                return await counted(case) > before

            try:
                await comes_true(more)
            except TimeoutError:
                pytest.fail(f"{name}: nothing is counted as {case.code}")
        assert (await client.get("/readyz")).status_code == 200
        await reaches(client, "endless", "running")


class Reached(NamedTuple):
    member: Member


def greeting(there: Member, cluster: dict[str, Any], fields: dict[str, Any]) -> bytes:
    """A hello of n2 to the node, but for what is given."""
    good = {"cluster": cluster["cluster_id"], "sender": "n2/a", "receiver": str(there.id)}
    return framed(hello(**{**good, **fields}))
