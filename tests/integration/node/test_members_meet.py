"""Consensus of two nodes, through the port that each of them shares with HTTP."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.integration.node.listener_kit import RAFT, App, dialing_context
from tests.integration.raft.transport_kit import QUICK, Node, Pki, Recorder, member_id, passes
from tests.services.ports import free_ports
from tests.waiting import until
from wire.node.credentials import load_contexts
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import listening
from wire.raft.transport.handshake import Place
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
