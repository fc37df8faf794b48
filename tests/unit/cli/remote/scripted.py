"""A server that answers what a test says, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer. `cut` ends it in the middle of its body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


DROP = Reply(status=0)
"""No answer: the connection is closed."""


def problem(status: int, code: str, *, after_s: int | None = None, **fields: Any) -> Reply:
    document = {"type": f"urn:wire:{code}", "title": code, "status": status, "detail": f"it is {code}", "code": code}
    headers = {"content-type": "application/problem+json", "x-wire-served-by": "n1", "x-wire-version": "9.9.9"}
    if after_s is not None:
        headers["retry-after"] = str(after_s)
    return Reply(status, document | {"request_id": "r-1"} | fields, headers)


class Scripted:
    """Gives each reply once, in their order, and the last one from then on."""

    def __init__(self, replies: Sequence[Reply], by_target: Mapping[str, Reply]) -> None:
        self._replies = list(replies)
        self.by_target = dict(by_target)
        self.asked: list[Asked] = []
        self.address = ""

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        named = self.by_target.get(f"{asked.method} {asked.target.partition('?')[0]}")
        if named is not None:
            return named
        if not self._replies:
            return problem(404, "api.no_such_address", detail=f"nothing at {asked.method} {asked.target}")
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # who asked has gone


@contextlib.contextmanager
def scripted(
    *replies: Reply, tls: ssl.SSLContext | None = None, port: int = 0, **by_target: Reply
) -> Iterator[Scripted]:
    """Serve replies in their order, or by what is asked for, as in `**{"GET /status": Reply()}`."""
    node = Scripted(replies, by_target)
    server = _Server(("127.0.0.1", port), _handler(node))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    node.address = f"http{'' if tls is None else 's'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(node: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = node.reply(Asked(self.command, self.path, headers, body, self.client_address[1]))
            if reply is DROP:
                self.close_connection = True
                return
            content = b"" if reply.status == 204 else reply.content
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if reply.cut else content)
            self.close_connection = self.close_connection or reply.cut

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 (so the library calls them)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
