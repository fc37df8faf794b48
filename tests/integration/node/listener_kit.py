"""A port with a small application behind it, and whoever dials it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from wire.node.listener.http import HttpServer, HttpSettings
from wire.node.listener.listener import PROTOCOLS, Listener, ListenerSettings, listening
from wire.raft.transport.tls import TlsFiles

RAFT, RPC, HTTP = PROTOCOLS


class App:
    """An application of ASGI: `/` answers, `/echo` gives back, `/tls` tells, `/wait` waits, `/big` gives a lot."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = asyncio.Event()
        self.cancelled = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        body = b"hello"
        match scope["path"]:
            case "/echo":
                body = await _body(receive)
            case "/tls":
                body = json.dumps(scope.get("extensions", {}).get("tls")).encode()
            case "/wait":
                await self._wait()
            case "/big":
                await _send_much(send)
                return
            case "/unread":
                body = b"not interested"
            case "/broken":
                raise RuntimeError("broken on purpose")
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _wait(self) -> None:
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def _send_much(send: Any) -> None:
    """Send 16 MiB, bit by bit: of a body in one piece, TLS would take all at once, whether or not anybody reads."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"16777216")]})
    for i in range(256):
        await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": i < 255})


async def _body(receive: Any) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)


class Port:
    """A port that is open."""

    def __init__(self, listener: Listener, http: HttpServer, app: App) -> None:
        self.listener, self.http, self.app = listener, http, app
        self.counters = listener.counters
        self.host, _, port = listener.addresses[0].rpartition(":")
        self.number = int(port)

    def heard(self, protocol: str) -> list[bytes]:
        """Hear a protocol from now on, and return what was heard on each of its connections once it has ended."""
        said: list[bytes] = []

        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                said.append(await reader.readuntil(b"."))
                writer.write(b"heard")
                await writer.drain()
                await reader.read()
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        self.listener.hear(protocol, hear)
        return said


@asynccontextmanager
async def port(
    files: TlsFiles | None,
    *,
    context: ssl.SSLContext | None = None,
    http: HttpSettings | None = None,
    settings: ListenerSettings | None = None,
    address: str = "127.0.0.1:0",
    insecure: bool = False,
) -> AsyncIterator[Port]:
    app = App()
    server = HttpServer(app, http)
    serving = context or (None if files is None else serving_context(files))
    tls = None if serving is None else lambda: serving
    async with listening(address, server, tls=tls, insecure=insecure, settings=settings) as listener:
        yield Port(listener, server, app)


def serving_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_OPTIONAL
    context.num_tickets = 0
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.cert, files.key)
    context.set_alpn_protocols(list(PROTOCOLS))
    return context


def dialing_context(trusting: TlsFiles, own: TlsFiles | None, *protocols: str) -> ssl.SSLContext:
    """What somebody dials with who may have a certificate, and who names these protocols, or none."""
    context = ssl.create_default_context(cafile=str(trusting.ca))
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


class Guest:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, end: bytes) -> bytes:
        """Return what is said up to these bytes."""
        async with asyncio.timeout(60):
            return await self.reader.readuntil(end)

    async def rest(self) -> bytes:
        """Return what is said up to the end of the connection."""
        said = bytearray()
        async with asyncio.timeout(60):
            try:
                while chunk := await self.reader.read(1 << 16):
                    said += chunk
            except OSError:
                pass
        return bytes(said)


@asynccontextmanager
async def guest(to: Port, context: ssl.SSLContext | None) -> AsyncIterator[Guest]:
    name = None if context is None else "localhost"
    reader, writer = await asyncio.open_connection(to.host, to.number, ssl=context, server_hostname=name)
    try:
        yield Guest(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def browser(to: Port, context: ssl.SSLContext | None) -> AsyncIterator[httpx.AsyncClient]:
    scheme = "http" if context is None else "https"
    base = f"{scheme}://{to.host}:{to.number}"
    verify = context or True
    async with httpx.AsyncClient(base_url=base, verify=verify, timeout=60, trust_env=False) as client:
        yield client
