"""Two nodes and a client with certificates of `wire certs`, at the port that consensus, calls and HTTP share."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.integration.node.listener_kit import RAFT, App, dialing_context
from tests.integration.raft.transport_kit import QUICK, Node, Pki, Recorder, member_id, passes, stranger
from tests.services.ports import free_ports
from tests.waiting import until
from wire.node.certificate_folder import CertificateFolder
from wire.node.credentials import load_contexts
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import listening
from wire.raft.transport.handshake import Place, Refusal
from wire.raft.transport.tls import TlsFiles
from wire.raft.transport.transport import Transport
from wire.raft.types import Member


@asynccontextmanager
async def member(name: str, files: TlsFiles | None) -> AsyncIterator[Node]:
    contexts = None if files is None else load_contexts(files, name)
    me = Member(member_id(name), f"127.0.0.1:{free_ports(1)[0]}")
    handler = Recorder()
    dialing = None if contexts is None else contexts.raft
    transport = Transport(Place("c-1", me), handler, tls=dialing, rng=random.Random(1), settings=QUICK)
    serving = None if contexts is None else lambda: contexts.server
    async with transport, listening(me.address, HttpServer(App()), tls=serving) as listener:
        listener.hear(RAFT, transport.accept)
        yield Node(me, transport, handler)


@pytest.mark.parametrize("secure", [True, False])
async def test_members_hear_each_other_while_http_is_answered_at_the_same_port(pki: Pki, secure: bool) -> None:
    first, second = (pki.good(name) if secure else None for name in ("n1", "n2"))
    async with member("n1", first) as one, member("n2", second) as two:
        one.meet(two)
        two.meet(one)
        await until(lambda: one.reaches(two) and two.reaches(one))
        await passes(one, two)
        await passes(two, one)
        verify = True if first is None else dialing_context(first, None)
        async with httpx.AsyncClient(verify=verify, timeout=60, trust_env=False) as there:
            answer = await there.get(f"http{'s' if secure else ''}://{one.member.address}/")
            assert answer.text == "hello"
        await passes(one, two)


async def test_a_clients_certificate_opens_the_api_and_nothing_between_nodes(tmp_path: Path) -> None:
    now, day = datetime.now(UTC), timedelta(days=1)
    folder = CertificateFolder(tmp_path)
    folder.init("test", day, now, replace=False)
    node, alice = (
        folder.issue_node("n1", [], day, now, replace=False),
        folder.issue_client("n2", day, now, replace=False),
    )
    files = TlsFiles(folder.authority, node.certificate, node.key)
    hers = TlsFiles(folder.authority, alice.certificate, alice.key)
    async with member("n1", files) as one:
        verify = dialing_context(files, hers)
        async with httpx.AsyncClient(verify=verify, timeout=60, trust_env=False) as there:
            told = (await there.get(f"https://{one.member.address}/tls")).json()
        assert (told["client_name"], told["node_names"], told["client_cert_name"]) == ("n2", [], "CN=n2")
        async with stranger(one, dialing_context(files, hers, RAFT)) as guest:
            answer = await guest.greet(sender="n2/1")
        assert answer == Refusal("raft.wrong_certificate", "n2/1 shows no certificate that names anybody")
        assert one.counters.accepted == 0
