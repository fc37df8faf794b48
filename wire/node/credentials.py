"""The node's certificate while the node runs: contexts made of its files, and made anew when the files change."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from msgspec import Struct

from wire.clients.tls import reason
from wire.core.clock import Clock, SystemClock
from wire.core.errors import FatalError, UnavailableError
from wire.node.certificates import Validity, is_issued_by, names_in, validity_of
from wire.node.listener.listener import PROTOCOLS
from wire.node.rpc.messages import ALPN as RPC
from wire.raft.threads import in_thread
from wire.raft.transport.handshake import ALPN as RAFT
from wire.raft.transport.tls import TlsFiles

log = structlog.get_logger()

LOOK_S: Final = 2.0
_WARN_DAYS: Final = (14.0, 7.0, 3.0, 1.0, 0.0)


class Contexts(Struct, frozen=True):
    """What is needed to serve and to dial, made of the same certificate, and how long that is good."""

    server: ssl.SSLContext
    raft: ssl.SSLContext
    rpc: ssl.SSLContext
    validity: Validity


def load_contexts(files: TlsFiles, name: str) -> Contexts:
    """Make contexts for the node of that name. Blocking: reads files.

    Raises UnavailableError (`node.certificates`) unless the files are there, belong together, and certify that name.
    """
    contents = _contents(files)
    try:
        names = names_in(contents[1])
        if name not in names:
            raise _unusable(files, f"the certificate is one for {', '.join(names) or 'nobody'}, not for {name}")
        if not is_issued_by(contents[1], b"\n".join(contents[:2])):  # its issuer may be in its own file
            raise _unusable(files, "the certificate is not one of the authority")
        server = _context(ssl.PROTOCOL_TLS_SERVER, files, *PROTOCOLS)
        server.verify_mode = ssl.CERT_OPTIONAL  # each protocol asks for what it needs
        server.num_tickets = 0  # a resumed session would skip the check of the certificate
        raft, rpc = (_context(ssl.PROTOCOL_TLS_CLIENT, files, protocol) for protocol in (RAFT, RPC))
        return Contexts(server, raft, rpc, validity_of(contents[1]))
    except (ssl.SSLError, OSError) as exc:
        raise _unusable(files, reason(exc)) from None
    except FatalError as exc:
        raise exc if isinstance(exc, UnavailableError) else _unusable(files, exc.message) from None


class Credentials:
    """The contexts to use now. `watch` keeps them up to date with the files."""

    def __init__(
        self, files: TlsFiles, name: str, *, renewed: Callable[[Contexts], None], clock: Clock | None = None
    ) -> None:
        """Load the files; `renewed` is told of the contexts that replace them. Blocking. Raises UnavailableError."""
        self._used = self._tried = self._seen = _digest(files)  # before they are read: a change is never missed
        self.current = load_contexts(files, name)
        self._files = files
        self._name = name
        self._renewed = renewed
        self._clock = clock or SystemClock()
        self._warned = float("inf")

    def server(self) -> ssl.SSLContext:
        """Return the context to serve with, for connections to come."""
        return self.current.server

    def rpc(self) -> ssl.SSLContext:
        """Return the context to call other nodes with, for connections to come."""
        return self.current.rpc

    @property
    def days_left(self) -> float:
        """How many days the certificate is still good, negative once it is not."""
        return self.current.validity.days_left(datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC))

    async def watch(self, interval_s: float = LOOK_S) -> None:
        """Look at the files again and again, until cancelled, and say when the certificate is about to expire.

        Files that changed are used once they look the same twice in a row, and only if they belong together: else the
        ones of before stay in use, and the log says so once. Connections that are up are left alone.
        """
        while True:
            self._warn()
            await self._clock.sleep(interval_s)
            await self._look()

    async def _look(self) -> None:
        digest = await in_thread(_digest, self._files)
        settled, self._seen = digest == self._seen, digest
        if not settled or digest == self._tried:
            return
        self._tried = digest
        if digest == self._used:
            return
        try:
            contexts = await in_thread(load_contexts, self._files, self._name)
        except UnavailableError as exc:
            log.error("certificate_not_renewed", code=exc.code, reason=exc.message, hint=exc.hint)  # noqa: TRY400 (whose stack says nothing)
            return
        self.current, self._used, self._warned = contexts, digest, float("inf")
        log.info("certificate_renewed", days_left=round(self.days_left, 1))
        self._renewed(contexts)

    def _warn(self) -> None:
        left = self.days_left
        due = [days for days in _WARN_DAYS if left <= days]
        if due and due[-1] < self._warned:
            self._warned = due[-1]
            event = "certificate_expires" if left > 0 else "certificate_expired"  # no node lets this one in
            hint = f"`wire certs issue {self._name} … --replace` renews it"
            log.warning(event, days_left=round(left, 1), cert=str(self._files.cert), hint=hint)


def _contents(files: TlsFiles) -> tuple[bytes, bytes, bytes]:
    try:
        return files.ca.read_bytes(), files.cert.read_bytes(), b"" if files.key is None else files.key.read_bytes()
    except OSError as exc:
        raise _unusable(files, f"{exc.filename}: {(exc.strerror or str(exc)).lower()}") from None


def _digest(files: TlsFiles) -> bytes:
    """Return what tells the contents of the files from others; a file that can't be read is as good as empty."""
    digest = hashlib.sha256()
    for path in (files.ca, files.cert, files.key):
        try:
            content = b"" if path is None else path.read_bytes()
        except OSError:
            content = b""
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.digest()


def _context(side: int, files: TlsFiles, *protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the name that counts is the node's, which each protocol checks
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(list(protocols))
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.cert, files.key, "")  # an encrypted key must fail here, not prompt
    return context


def _unusable(files: TlsFiles, why: str) -> UnavailableError:
    names = ", ".join(str(path) for path in (files.ca, files.cert, files.key) if path is not None)
    return UnavailableError(
        "node.certificates",
        f"the node's certificate can't be used ({names}): {why}",
        hint="`wire certs issue` makes one: PEM, of the authority in `ca`, with the node's name, the key not encrypted",
    )
