"""All connections of one member."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from wire.raft.transport.connection import Connection
from wire.raft.transport.dialing import Dialer
from wire.raft.transport.framing import HEADER_SIZE, framed
from wire.raft.transport.handshake import Place
from wire.raft.transport.incoming import Incoming
from wire.raft.transport.messages import Message, encode
from wire.raft.transport.peer import Peer
from wire.raft.transport.ports import Handler, TransportCounters, TransportSettings
from wire.raft.types import Member, MemberId


class Transport:
    """The network of one member: see `Network` for sending, and `Handler` for what it calls.

    `async with` it: within, connections are kept up; at its end all of them are closed and nothing of it runs any
    more. What the handler raises ends it with an ExceptionGroup.
    """

    def __init__(
        self,
        us: Place,
        handler: Handler,
        *,
        tls: ssl.SSLContext | None,
        rng: random.Random,
        settings: TransportSettings | None = None,
    ) -> None:
        """Dial with the context `tls`. With one, whoever dials us must show a certificate; without, nobody need."""
        self.counters = TransportCounters()
        self.settings = settings or TransportSettings()
        self._us = us
        self._handler = handler
        self._rng = rng
        self._dialer = Dialer(us, tls, self.settings)
        self._incoming = Incoming(
            us, handler, self.settings, self.counters, secure=tls is not None, heard=self._was_heard
        )
        self._group = asyncio.TaskGroup()
        self._running = False
        self._peers: dict[MemberId, tuple[Peer, asyncio.Task[None]]] = {}
        self._accepted: set[asyncio.Task[None]] = set()
        self._framed: tuple[Message | None, bytes] = None, b""

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._running = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.set_peers({})
        self._running = False
        for task in self._accepted:
            task.cancel()
        await self._group.__aexit__(kind, exc, trace)

    def set_peers(self, peers: Mapping[MemberId, str]) -> None:
        """Dial these and nobody else; a connection stays as it is where the address is the same.

        We may be among them, and are left out. Raises InvalidStateError outside of `async with`.
        """
        if not self._running:
            raise asyncio.InvalidStateError("the transport does not run")
        for id_, (peer, task) in list(self._peers.items()):
            if peers.get(id_) != peer.member.address:
                del self._peers[id_]
                task.cancel()
        for id_, address in peers.items():
            if id_ not in self._peers and id_ != self._us.member.id:
                args = (self._dialer, self._handler, self.settings, self.counters, self._rng)
                peer = Peer(Member(id_, address), *args)
                self._peers[id_] = peer, self._group.create_task(peer.run())

    def send(self, to: MemberId, message: Message) -> bool:
        """Queue the message if the peer is connected; see `Network`. One over `max_frame_bytes` is never sent."""
        found = self._peers.get(to)
        if found is None:
            self.counters.dropped_unconnected += 1
            return False
        if message is not self._framed[0]:  # the same one often goes to many
            self._framed = message, framed(encode(message))
        frame = self._framed[1]
        if len(frame) > HEADER_SIZE + self.settings.max_frame_bytes:
            self.counters.dropped_too_large += 1
            return False
        return found[0].send(frame)

    def renew(self, tls: ssl.SSLContext) -> None:
        """Dial with this context from now on, as after a renewal; connections that are up stay as they are."""
        self._dialer.tls = tls

    def queued_bytes(self, to: MemberId) -> int:
        """Return how much waits to be written to a peer."""
        found = self._peers.get(to)
        return 0 if found is None else found[0].queued_bytes

    def review(self) -> None:
        """Ask `Handler.admit` again about everybody who is heard; see `Network`."""
        self._incoming.review()

    def refuse(self, remote: str, code: str, reason: str) -> None:
        """Count and log somebody that a listener turned away before `accept`."""
        self._incoming.refuse(remote, "", code, reason)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear whoever is at the other end of a stream; return when the stream is at its end, or we are.

        The listener knows by ALPN, or without TLS by the preamble, which it has read, that consensus is spoken here.
        Whatever the other side does, this does not raise.
        """
        connection = Connection(reader, writer, write_timeout_s=self.settings.write_timeout_s)
        if not self._running:
            await connection.close()
            return
        task = self._group.create_task(self._incoming.serve(connection))
        self._accepted.add(task)
        task.add_done_callback(self._accepted.discard)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()

    def _was_heard(self, member: MemberId) -> None:
        """Dial a peer that lives again without waiting any longer."""
        found = self._peers.get(member)
        if found is not None:
            found[0].wake()
