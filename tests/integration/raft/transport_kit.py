"""Members that talk over real sockets on this machine, and strangers who say what they like."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from tests.services.certificates import Authority
from tests.services.ports import free_ports
from tests.waiting import until
from wire.raft.transport.connection import Connection
from wire.raft.transport.framing import framed
from wire.raft.transport.handshake import Hello, Place, decode_answer, decode_hello
from wire.raft.transport.handshake import encode as encode_greeting
from wire.raft.transport.listener import listening
from wire.raft.transport.messages import Message, TimeoutNow
from wire.raft.transport.ports import Admission, TransportSettings
from wire.raft.transport.tls import TlsFiles, client_context, server_context
from wire.raft.transport.transport import Transport
from wire.raft.types import Member, MemberId

CLUSTER = "c-1"
QUICK = TransportSettings(backoff_initial_s=0.01, backoff_max_s=0.05)


class Pki:
    """Certificates of one authority, and what can be wrong with them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority, self._other = Authority(), Authority()
        (folder / "ca.pem").write_bytes(self._authority.pem)
        (folder / "other.pem").write_bytes(self._other.pem)

    def good(self, name: str) -> TlsFiles:
        return self._files(name, self._authority, timedelta(days=2))

    def expired(self, name: str) -> TlsFiles:
        return self._files(name, self._authority, timedelta(minutes=-1))

    def foreign(self, name: str) -> TlsFiles:
        """A certificate of another authority, whose holder trusts ours."""
        return self._files(name, self._other, timedelta(days=2))

    def distrusting(self, name: str) -> TlsFiles:
        """A certificate of ours, whose holder trusts another authority only."""
        return TlsFiles(self._folder / "other.pem", self.good(name).cert)

    def _files(self, name: str, authority: Authority, lifetime: timedelta) -> TlsFiles:
        path = self._folder / f"{name}-{random.getrandbits(64):x}.pem"
        authority.issue(name, lifetime).write(path)
        return TlsFiles(self._folder / "ca.pem", path)


class Recorder:
    """Remembers what a transport told it; everybody is admitted unless `admissions` says otherwise."""

    def __init__(self) -> None:
        self.admissions: dict[MemberId, Admission] = {}
        self.asked: list[Member] = []
        self.received: list[tuple[MemberId, Message]] = []
        self.events: list[tuple[str, MemberId]] = []
        self.refusals: list[tuple[MemberId, str, str]] = []

    def admit(self, member: Member) -> Admission:
        self.asked.append(member)
        return self.admissions.get(member.id, Admission.KNOWN)

    def receive(self, sender: MemberId, message: Message) -> None:
        self.received.append((sender, message))

    def connected(self, peer: MemberId) -> None:
        self.events.append(("connected", peer))

    def disconnected(self, peer: MemberId) -> None:
        self.events.append(("disconnected", peer))

    def refused(self, peer: MemberId, code: str, message: str) -> None:
        self.refusals.append((peer, code, message))


class Node:
    """A running member."""

    def __init__(self, member: Member, transport: Transport, handler: Recorder) -> None:
        self.member, self.transport, self.handler = member, transport, handler
        self.counters = transport.counters

    @property
    def id(self) -> MemberId:
        return self.member.id

    def meet(self, *others: Node) -> None:
        self.transport.set_peers({other.id: other.member.address for other in others})

    def reaches(self, other: Node) -> bool:
        states = [event for event, peer in self.handler.events if peer == other.id]
        return states[-1:] == ["connected"]


def member_id(name: str) -> MemberId:
    return MemberId(f"{name}/1")


@asynccontextmanager
async def node(
    name: str,
    files: TlsFiles | None,
    *,
    port: int = 0,
    cluster: str = CLUSTER,
    settings: TransportSettings = QUICK,
    rng: random.Random | None = None,
    tls: tuple[ssl.SSLContext | None, ssl.SSLContext | None] | None = None,
) -> AsyncIterator[Node]:
    """A member with a port of its own; `tls` is the pair of contexts to serve and to dial with, made of `files`."""
    port = port or free_ports(1)[0]
    member = Member(member_id(name), f"127.0.0.1:{port}")
    if tls is None and files is not None:
        tls = server_context(files), client_context(files)
    serving, dialing = tls or (None, None)
    handler = Recorder()
    place = Place(cluster, member)
    transport = Transport(place, handler, tls=dialing, rng=rng or random.Random(1), settings=settings)
    async with transport, listening(transport, "127.0.0.1", port, serving):
        yield Node(member, transport, handler)


@asynccontextmanager
async def pair(pki: Pki) -> AsyncIterator[tuple[Node, Node]]:
    """Two members that talk to each other, at the end still as at the beginning."""
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(node(name, pki.good(name))) for name in ("n1", "n2")]
        one.meet(two)
        two.meet(one)
        await until(lambda: one.reaches(two) and two.reaches(one))
        yield one, two
        for sender, receiver in ((one, two), (two, one)):
            assert sender.handler.events == [("connected", receiver.id)]
            await passes(sender, receiver)


async def passes(sender: Node, receiver: Node) -> None:
    """Send a message that was not sent before, and wait until it is there."""
    message = TimeoutNow(random.getrandbits(60))
    assert sender.transport.send(receiver.id, message)
    await until(lambda: (sender.id, message) in receiver.handler.received)


class Stranger:
    """A raw connection to a member, which may hold the right certificate and says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._connection = Connection(reader, writer, write_timeout_s=30)

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def greet(self, **fields: object) -> object:
        """Say a hello and return the answer."""
        await self.say(framed(hello(**fields)))
        return await self.answer()

    async def hello(self) -> Hello:
        """Return the hello that the other side says."""
        return decode_hello(await self._connection.read_frame(1 << 16))

    async def answer(self) -> object:
        async with asyncio.timeout(30):
            return decode_answer(await self._connection.read_frame(1 << 16))

    async def ended(self) -> None:
        """Wait until the other side has closed."""
        async with asyncio.timeout(30):
            try:
                while await self.reader.read(1 << 16):
                    pass
            except OSError:
                pass

    async def close(self) -> None:
        await self._connection.close()


def hello(**fields: object) -> bytes:
    """The payload of a good hello from n3 to n1, but for what is given."""
    good: dict[str, object] = {
        "oldest": 1,
        "newest": 1,
        "cluster": CLUSTER,
        "sender": "n3/1",
        "address": "127.0.0.1:1",
        "receiver": "n1/1",
    }
    return encode_greeting(Hello(**{**good, **fields}))  # type: ignore[arg-type]


class Reachable(Protocol):
    member: Member


@asynccontextmanager
async def stranger(
    to: Reachable, context: ssl.SSLContext | None, receive_buffer: int | None = None
) -> AsyncIterator[Stranger]:
    host, _, port = to.member.address.rpartition(":")
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    name = None if context is None else ""
    reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name)
    found = Stranger(reader, writer)
    try:
        yield found
    finally:
        await found.close()


@asynccontextmanager
async def impostor(context: ssl.SSLContext, then: Callable[[Stranger], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that welcomes whoever says hello and then does as it is told; gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = Stranger(reader, writer)
        try:
            await found.hello()
            await then(found)
            await asyncio.Event().wait()
        finally:
            writer.transport.abort()

    tasks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:

        def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.append(group.create_task(serve(reader, writer)))

        server = await asyncio.start_server(arrived, "127.0.0.1", 0, ssl=context)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in tasks:
                task.cancel()
