"""One request to one node."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from wire.cli.remote.addresses import Address
from wire.core.errors import RetryableError, UnavailableError, WireError

_CONNECT_TIMEOUT_S: Final = 5.0
_PIECE: Final = 1 << 16
_NOT_TAKEN: Final = (
    "if it does not take the certificate: `wire doctor --cert FILE` says how long that is good, and it must be "
    "one of the cluster's authority"
)


class Request(Struct, frozen=True):
    """What is asked. A body may be a file, which is sent as it is read. `silence_s` is the longest to hear nothing."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | Path | None
    silence_s: float


class Answer:
    """What a node answered. Its body is read once, whole or piece by piece."""

    def __init__(self, response: http.client.HTTPResponse, place: str) -> None:
        """Wrap a response whose head has arrived; `place` is who sent it."""
        self._response = response
        self.place = place
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def body(self) -> bytes:
        """Return all of it. Raises RetryableError if it breaks off."""
        with _reading(self.place):
            return self._response.read()

    def pieces(self) -> Iterator[bytes]:
        """Give it as it arrives. Raises RetryableError if it breaks off."""
        with _reading(self.place):
            while piece := self._response.read1(_PIECE):
                yield piece
            if self._response.length:  # `read1` takes an early end for the end
                raise http.client.IncompleteRead(b"", self._response.length)


class Connection:
    """Asks one node, over a connection that is kept for the next question. Close it after use."""

    def __init__(self, address: Address, tls: ssl.SSLContext | None) -> None:
        """Ask `address`; `tls` is what an encrypted connection is made with."""
        self.address = address
        self._tls = tls
        self._http: http.client.HTTPConnection | None = None

    def ask(self, request: Request) -> Answer:
        """Return what the node answers, once the head of it is there.

        Raises UnavailableError where the node was not asked, RetryableError (`client.no_answer`) where it was and did
        not answer: whether it did what it was asked is then not known.
        """
        if request.method != "GET":
            self.close()  # the node may be closing it just now: then nobody knows what it has heard
        if self._http is not None:
            with contextlib.suppress(RetryableError):
                return self._ask(self._http, request)
        return self._ask(self._connect(), request)

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self.address.host, self.address.port
        if self.address.secure:
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=_CONNECT_TIMEOUT_S, context=self._tls
            )
        else:
            made = http.client.HTTPConnection(host, port, timeout=_CONNECT_TIMEOUT_S)
        try:
            made.connect()
        except (OSError, UnicodeError) as exc:
            made.close()
            raise _not_reached(exc, str(self.address)) from exc
        made.auto_open = False  # it is opened here, where it is known that nothing was asked yet
        self._http = made
        return made

    def _ask(self, http_: http.client.HTTPConnection, request: Request) -> Answer:
        target = self.address.base + request.target
        if http_.sock is not None:
            http_.sock.settimeout(request.silence_s)
        try:
            with _reading(str(self.address)), contextlib.ExitStack() as stack:
                body = request.body
                opened = stack.enter_context(body.open("rb")) if isinstance(body, Path) else body
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read all
                    http_.request(request.method, target, opened, dict(request.headers))
                return Answer(http_.getresponse(), str(self.address))
        except WireError:
            self.close()
            raise


@contextlib.contextmanager
def _reading(place: str) -> Iterator[None]:
    """Say what it means when an answer does not come, or not to its end."""
    try:
        yield
    except ssl.SSLError as exc:
        raise _not_reached(exc, place) from exc
    except (OSError, http.client.HTTPException) as exc:
        if isinstance(exc, TimeoutError):
            message, hint = f"{place} did not answer in time", "look at the node's log"
        else:
            message = f"{place} closed the connection without an answer"
            hint = _NOT_TAKEN if place.startswith("https:") else "if the node wants https, say so in its address"
            hint = f"{hint}; else look at the node's log"
        raise RetryableError("client.no_answer", message, hint=hint) from exc


def _not_reached(exc: OSError | UnicodeError, place: str) -> UnavailableError:
    if isinstance(exc, ssl.SSLCertVerificationError):
        message = f"the certificate of {place} is not trusted ({exc.verify_message})"
        hint = "give the cluster's authority, and an address the certificate is for: wire context set NAME --ca FILE"
        return UnavailableError("client.tls", message, hint=hint)
    if isinstance(exc, ssl.SSLError):
        hint = f"if it speaks http only, say so in its address; {_NOT_TAKEN}"
        return UnavailableError("client.tls", f"the TLS connection to {place} failed ({_short(exc)})", hint=hint)
    if isinstance(exc, ConnectionRefusedError):
        hint = "is a node running? `wire serve` starts one; --server says where to ask"
        return UnavailableError("client.unreachable", f"nothing listens at {place}", hint=hint)
    hint = "check the address, which --server or `wire context set` give, and the network"
    return UnavailableError("client.unreachable", f"{place} can't be reached: {_short(exc)}", hint=hint)


def _short(exc: BaseException) -> str:
    return str(getattr(exc, "reason", None) or getattr(exc, "strerror", None) or exc).lower()
