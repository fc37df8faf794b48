"""The port itself: where it listens, who may use it in the clear, and to whom each connection goes."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Final, TypeAlias

import structlog
from msgspec import Struct, field

from wire.core.errors import UnavailableError
from wire.node.listener.http import HttpServer
from wire.node.rpc.messages import ALPN as RPC
from wire.node.rpc.messages import PREAMBLE as RPC_PREAMBLE
from wire.raft.transport.accepting import BACKLOG, Arrival, Door, DoorSettings, Trouble
from wire.raft.transport.dialing import split_address
from wire.raft.transport.handshake import ALPN as RAFT
from wire.raft.transport.handshake import PREAMBLE as RAFT_PREAMBLE
from wire.raft.transport.ports import count

log = structlog.get_logger()

HTTP: Final = "http/1.1"
PROTOCOLS: Final = (RAFT, RPC, HTTP)
"""What ALPN offers, in the order in which it is preferred. HTTP is also spoken with whoever names no protocol."""

Place: TypeAlias = tuple[socket.AddressFamily, tuple[str, int]]
Hear: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Takes a stream and returns when it is at its end; does not raise. As `Transport.accept`, or `RpcServer.accept`."""

_PREAMBLES: Final = {RAFT_PREAMBLE: RAFT, RPC_PREAMBLE: RPC}
_CODES: Final = {
    Trouble.EXHAUSTED: "node.busy",
    Trouble.CROWDED: "node.busy",
    Trouble.TLS: "node.tls",
    Trouble.LOST: "node.handshake",
}
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # a machine without IPv6 has half of `localhost`
_WRITTEN: Final = "an address of this machine and a port, such as 127.0.0.1:4001, [::1]:4001 or :4001 for all of them"
_MOST_REMEMBERED: Final = 64


class ListenerSettings(Struct, frozen=True, kw_only=True):
    """Limits of the port; those of HTTP connections are `HttpSettings`."""

    door: DoorSettings = DoorSettings()
    max_streams: int = 1024  # of other nodes, two or three of each
    grace_s: float = 10.0  # for requests that are under way when the node stops


class ListenerCounters(Struct):
    """What has happened since the start."""

    accepted: dict[str, int] = field(default_factory=dict)  # by protocol
    refused: dict[str, int] = field(default_factory=dict)  # by code


class Listener:
    """A port that is open. `hear` says who takes the streams of a protocol; one that nobody takes is closed."""

    def __init__(self, http: HttpServer, max_streams: int) -> None:
        """Answer HTTP; for the other protocols see `hear`."""
        self.counters = ListenerCounters()
        self.addresses: tuple[str, ...] = ()
        """Where it listens, as `host:port`."""
        self._http = http
        self._max_streams = max_streams
        self._streams = 0
        self._hearing: dict[str, Hear] = {}
        self._told: set[tuple[str, str]] = set()

    def hear(self, protocol: str, hear: Hear) -> None:
        """Hand the streams of a protocol to `hear` from now on."""
        self._hearing[protocol] = hear

    async def welcome(self, arrival: Arrival) -> None:
        """Hand a connection over and return at its end. Never raises: a node does not end for one connection."""
        protocol = arrival.protocol or HTTP
        try:
            if protocol == HTTP:
                count(self.counters.accepted, HTTP)
                await self._http.serve(arrival)
            else:
                await self._hear(protocol, arrival)
        except Exception:
            log.exception("connection_failed", remote=arrival.remote, protocol=protocol)

    async def _hear(self, protocol: str, arrival: Arrival) -> None:
        """Hand a stream over. Who has no certificate holds none of them: they are what members need (I8)."""
        hear = self._hearing.get(protocol)
        if hear is None:
            self.refuse(arrival.remote, "node.not_ready", f"{protocol} is not spoken here yet")
        elif not arrival.has_certificate:
            self.refuse(arrival.remote, "node.no_certificate", f"{protocol} needs a node's certificate")
        elif self._streams >= self._max_streams:
            self.refuse(arrival.remote, "node.busy", f"{self._streams} connections of nodes are open")
        else:
            count(self.counters.accepted, protocol)
            self._streams += 1
            try:
                reader, writer = arrival.as_stream()
                await hear(reader, writer)
            finally:
                self._streams -= 1
                arrival.abort()

    def turned_away(self, remote: str, trouble: Trouble, reason: str) -> None:
        """Count somebody who was not let in."""
        self.refuse(remote, _CODES[trouble], reason)

    def refuse(self, remote: str, code: str, reason: str) -> None:
        """Count somebody who is turned away, and say so unless the same host was for the same reason lately."""
        count(self.counters.refused, code)
        known = remote.rpartition(":")[0], code
        if known in self._told:
            return
        if len(self._told) >= _MOST_REMEMBERED:
            self._told.clear()
        self._told.add(known)
        log.warning("connection_refused", remote=remote, code=code, reason=reason)


@asynccontextmanager
async def listening(
    address: str,
    http: HttpServer,
    *,
    tls: Callable[[], ssl.SSLContext] | None,
    insecure: bool = False,
    settings: ListenerSettings | None = None,
) -> AsyncIterator[Listener]:
    """Listen at `host:port`; a host without a name is every address of the machine, port 0 any free one.

    `tls` gives the context for each new connection. Without it, only loopback addresses are listened at unless it is
    `insecure` on purpose. At the end nobody is let in any more, requests are answered for `grace_s`, and then every
    connection is cut off. Raises UnavailableError (`node.address_in_use`, `node.address`, `node.unencrypted`).
    """
    settings = settings or ListenerSettings()
    listener = Listener(http, settings.max_streams)
    places = await _resolved(address)
    if tls is None and not insecure:
        _refuse_exposure(address, places)
    with ExitStack() as stack:
        servers = [stack.enter_context(server) for server in _bound(address, places)]
        listener.addresses = tuple(_shown(server) for server in servers)
        door = Door(listener.welcome, listener.turned_away, tls=tls, preambles=_PREAMBLES, settings=settings.door)
        try:
            async with door:
                for server in servers:
                    door.answer(server)
                try:
                    yield listener
                finally:
                    await door.close()
                    for server in servers:
                        server.close()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(settings.grace_s):
                            await http.drain()
        finally:
            await http.end()


async def _resolved(address: str) -> list[Place]:
    try:
        host, port = split_address(address if not address.startswith(":") else f"*{address}")
        found = await asyncio.get_running_loop().getaddrinfo(
            None if host == "*" else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, socket.gaierror) else exc
        raise UnavailableError("node.address", f"{address} can't be listened at: {reason}", hint=_WRITTEN) from exc
    places: list[Place] = [(family, (str(place[0]), int(place[1]))) for family, _, _, _, place in found]
    return list(dict.fromkeys(places))[: None if port else 1]  # a free port is one of one address


def _refuse_exposure(address: str, places: list[Place]) -> None:
    if not all(ipaddress.ip_address(host.partition("%")[0]).is_loopback for _, (host, _) in places):
        raise UnavailableError(
            "node.unencrypted",
            f"{address} can be reached from other machines, and there are no certificates",
            hint="make certificates with `wire certs init`, or listen at 127.0.0.1, or say --insecure",
        )


def _bound(address: str, places: list[Place]) -> list[socket.socket]:
    servers: list[socket.socket] = []
    try:
        for family, place in places:
            try:
                servers.append(socket.create_server(place, family=family, backlog=BACKLOG))
            except OSError as exc:
                if exc.errno not in _NOT_HERE or len(places) == 1:
                    raise
        if not servers:
            raise OSError(errno.EADDRNOTAVAIL, "this machine has no such address")
    except OSError as exc:
        for server in servers:
            server.close()
        raise _unusable(address, exc) from exc
    return servers


def _unusable(address: str, exc: OSError) -> UnavailableError:
    if exc.errno == errno.EADDRINUSE:
        message = f"{address} is in use by another process"
        return UnavailableError("node.address_in_use", message, hint="end it, or choose another one with --listen")
    reason = "a system's error" if exc.errno is None else os.strerror(exc.errno).lower()
    return UnavailableError("node.address", f"{address} can't be listened at: {reason}", hint=_WRITTEN)


def _shown(server: socket.socket) -> str:
    host, port = server.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
