"""A node that answers calls, and another one that makes them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec import Struct

from tests.integration.node.listener_kit import RPC, Port, dialing_context, port
from tests.integration.raft.transport_kit import Pki
from wire.core.errors import FatalError, RetryableError, WireError
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import (
    Caller,
    Method,
    Us,
)
from wire.node.rpc.server import RpcServer
from wire.node.rpc.settings import RpcSettings
from wire.raft.transport.tls import TlsFiles

QUICK = RpcSettings(backoff_initial_s=0.01, backoff_max_s=0.05)


class Ask(Struct, frozen=True, tag="ask"):
    text: str
    size: int = 0


class Told(Struct, frozen=True, tag="told"):
    text: str
    by: str = ""
    cluster: str | None = None
    data: bytes = b""


ECHO = Method("test.echo", Ask, Told)
WAIT = Method("test.wait", Ask, Told)
FAIL = Method("test.fail", Ask, Told)
OPEN = Method("test.open", Ask, Told, for_strangers=True)
ABSENT = Method("test.absent", Ask, Told)


class Service:
    """A node that answers."""

    def __init__(self, here: Port, server: RpcServer, us: Us) -> None:
        self.here, self.server, self.us = here, server, us
        self.address = f"127.0.0.1:{here.number}"
        self.members = {"n2", "n3"}
        self.waiting = 0
        self.cancelled = 0
        self.let_go = asyncio.Event()

    async def echo(self, request: Ask, caller: Caller) -> Told:
        return Told(request.text, caller.name, caller.cluster, bytes(request.size))

    async def wait(self, request: Ask, caller: Caller) -> Told:
        self.waiting += 1
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Told(request.text)

    async def fail(self, request: Ask, caller: Caller) -> Told:
        match request.text:
            case "retryable":
                raise RetryableError("raft.no_leader", "nobody leads", after_s=1.5, hint="wait")
            case "fatal":
                raise FatalError("raft.stopped", "it has stopped")
            case _:
                raise RuntimeError("a secret detail")


@asynccontextmanager
async def service(files: TlsFiles | None, *, settings: RpcSettings = QUICK, number: int = 0) -> AsyncIterator[Service]:
    us = Us("n1", "c-1")
    async with port(files, address=f"127.0.0.1:{number}") as here:
        server = RpcServer(us, lambda caller: caller.name in found.members, secure=files is not None, settings=settings)
        found = Service(here, server, us)
        server.handle(ECHO, found.echo)
        server.handle(WAIT, found.wait)
        server.handle(FAIL, found.fail)
        server.handle(OPEN, found.echo)
        here.listener.hear(RPC, server.accept)
        yield found


def client(
    pki: Pki,
    to: str,
    us: Us | None = None,
    *,
    files: TlsFiles | None = None,
    name: str | None = "n1",
    settings: RpcSettings = QUICK,
) -> RpcClient:
    context = dialing_context(pki.good("n1"), files or pki.good("n2"), RPC)
    context.check_hostname = False
    return RpcClient(us or Us("n2", "c-1"), to, name=name, tls=lambda: context, rng=random.Random(1), settings=settings)


async def refused(client: RpcClient, method: Method[Ask, Told] = ECHO) -> WireError:
    async with client:
        with pytest.raises(WireError) as failure:
            await client.call(method, Ask("x"), timeout_s=30)
    return failure.value


async def insist(there: RpcClient) -> None:
    """Call until an answer comes, and wait in between as long as is said."""
    async with asyncio.timeout(60):
        while True:
            try:
                await there.call(ECHO, Ask("x"), timeout_s=30)
            except RetryableError as exc:
                await asyncio.sleep(exc.after_s)
            else:
                return
