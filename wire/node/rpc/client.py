"""Makes calls to one other node."""

from __future__ import annotations

import asyncio
import os
import random
import re
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from msgspec import Raw

from wire.core.errors import FatalError, RetryableError, WireError
from wire.node.rpc.link import Link
from wire.node.rpc.messages import (
    ALPN,
    MAX_GREETING_BYTES,
    PREAMBLE,
    A,
    Call,
    Failure,
    Method,
    Q,
    Refusal,
    Us,
    Welcome,
    decode_greeting,
    encode,
    hello,
    judge_names,
)
from wire.node.rpc.settings import RpcCounters, RpcSettings
from wire.raft.transport.connection import Connection, LostError, abort
from wire.raft.transport.dialing import split_address
from wire.raft.transport.framing import HEADER_SIZE, ProtocolError, framed
from wire.raft.transport.ports import count

_LONGEST_MESSAGE: Final = 512
_REFUSAL: Final = re.compile(r"\w+_ALERT_(UNKNOWN_CA|\w*CERTIFICATE\w*)")
"""How OpenSSL calls what the other side says of our certificate, and in which words."""
_NOT_IN_TIME: Final = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_SAME: Final = "give both nodes certificates of the same authority, and its ca.pem: `wire certs issue` makes them"
_ALIKE: Final = "start both nodes with certificates, or both without"
_GIVEN: Final = "give it one with --ca, --cert and --key: `wire certs issue` makes it"
_NAMED: Final = "a node's certificate must carry the node's name: `wire certs issue NODE` makes one"


class RpcClient:
    """Calls one node, on one connection that is made when it is first needed and again after it broke.

    `async with` it: at the end the connection is closed, and calls that are under way fail. A call that fails is not
    made a second time. After an attempt to connect that failed, calls fail at once for a moment that grows.
    """

    def __init__(
        self,
        us: Us,
        address: str,
        *,
        name: str | None = None,
        tls: Callable[[], ssl.SSLContext] | None,
        rng: random.Random,
        settings: RpcSettings | None = None,
    ) -> None:
        """Call the node at `host:port`, and only if it is the one of that name where one is given."""
        self.address = address
        self.counters = RpcCounters()
        self._us = us
        self._name = name
        self._tls = tls
        self._rng = rng
        self._settings = settings or RpcSettings()
        self._group = asyncio.TaskGroup()
        self._connecting = asyncio.Lock()
        self._link: Link | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._running = False
        self._ceiling_s = self._settings.backoff_initial_s
        self._not_before = 0.0
        self._trouble = RetryableError("rpc.unreachable")
        self._number = 0
        self._answers: dict[str, msgspec.msgpack.Decoder[Any]] = {}

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._running = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running = False
        if self._keeping is not None:
            self._keeping.cancel()
        if isinstance(exc, asyncio.CancelledError):
            await self._group.__aexit__(kind, exc, trace)
        else:  # a group would wrap what the block raises, and nobody would know it again
            await self._group.__aexit__(None, None, None)

    async def call(self, method: Method[Q, A], request: Q, *, timeout_s: float) -> A:
        """Return the answer.

        Raises what the other node's handler raised, as RetryableError where it was one and else as FatalError; and
        RetryableError of its own if there is no connection or no answer in time (`rpc.unreachable`, `rpc.lost`,
        `rpc.timeout`, `rpc.busy`), or if one side does not trust the other's certificate, which may be renewed
        (`rpc.untrusted_certificate`, `rpc.certificate_refused`) or has none (`rpc.unencrypted`); FatalError if the
        other node does not want us or sends what is no answer. After `rpc.lost` and `rpc.timeout` it is not known
        whether the request was carried out.
        """
        self.counters.calls += 1
        try:
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._call(method, request, int(timeout_s * 1000))
            except TimeoutError:
                raise RetryableError("rpc.timeout", f"{self.address} did not answer within {timeout_s:g} s") from None
        except WireError as exc:
            count(self.counters.failures, exc.code)
            raise

    async def _call(self, method: Method[Q, A], request: Q, timeout_ms: int) -> A:
        link = await self._linked()
        self._number += 1
        frame = framed(encode(Call(self._number, method.name, timeout_ms, Raw(encode(request)))))
        if len(frame) > HEADER_SIZE + self._settings.max_frame_bytes:
            raise FatalError("rpc.too_large", f"the request for {method.name} has {len(frame)} bytes")
        answer = await link.call(self._number, frame)
        if isinstance(answer, Failure):
            raise answer.error()
        decoder = self._answers.setdefault(method.name, msgspec.msgpack.Decoder(method.answers))
        try:
            result: A = decoder.decode(answer.body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            raise FatalError("rpc.protocol_fault", f"{self.address} gave no answer to {method.name}: {exc}") from exc
        return result

    async def _linked(self) -> Link:
        """Return a connection that is up; whoever comes first makes it, the others wait."""
        async with self._connecting:
            if not self._running:
                raise asyncio.InvalidStateError("the client does not run")
            if self._link is not None and self._link.is_up:
                return self._link
            now = asyncio.get_running_loop().time()
            if now < self._not_before:
                known = self._trouble
                raise RetryableError(known.code, known.message, hint=known.hint, after_s=self._not_before - now)
            try:
                connection = await self._dial()
            except (OSError, ProtocolError, WireError) as exc:
                raise self._unreachable(exc) from exc
            self._ceiling_s = self._settings.backoff_initial_s
            self.counters.connections += 1
            self._link = link = Link(connection, self.address, self._settings)
            self._keeping = self._group.create_task(link.run())
            self._keeping.add_done_callback(
                lambda _: connection.abort()
            )  # one cancelled before it began closes nothing
            return link

    def _unreachable(self, exc: OSError | WireError) -> WireError:
        """Say why there is no connection, and how long none is tried to be made."""
        now = asyncio.get_running_loop().time()
        self._not_before = now + self._rng.uniform(0, self._ceiling_s)
        self._ceiling_s = min(self._ceiling_s * 2, self._settings.backoff_max_s)
        if isinstance(exc, ProtocolError):
            error: WireError = FatalError("rpc.protocol_fault", exc.message)
        elif isinstance(exc, WireError):
            error = exc
        else:
            code, message, hint = self._explained(exc)
            error = RetryableError(code, message[:_LONGEST_MESSAGE], hint=hint, after_s=self._not_before - now)
        self._trouble = error if isinstance(error, RetryableError) else RetryableError("rpc.unreachable", error.message)
        return error

    def _explained(self, exc: OSError) -> tuple[str, str, str | None]:
        """Return what it means that no connection was made: a code, a message and a hint."""
        refusal = _refusal(exc)
        if refusal is not None:
            message = f"{self.address} does not accept this node's certificate: {refusal}"
            return "rpc.certificate_refused", message, _renewing(self._us.name) if "expired" in refusal else _SAME
        if isinstance(exc, ssl.SSLCertVerificationError):
            message = f"the certificate of {self.address} is not trusted: {exc.verify_message}"
            hint = _renewing(self._name or "NODE") if exc.verify_code in _NOT_IN_TIME else _SAME
            return "rpc.untrusted_certificate", message, hint
        if isinstance(exc, ssl.SSLError) and exc.reason == "WRONG_VERSION_NUMBER":
            return "rpc.unencrypted", f"{self.address} speaks no TLS, and this node has certificates", _ALIKE
        return "rpc.unreachable", f"{self.address} can't be reached: {_reason(exc)}", None

    async def _dial(self) -> Connection:
        limit_s = self._settings.dial_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._connect()
        except TimeoutError:
            raise TimeoutError(f"no answer within {limit_s:g} s") from None

    async def _connect(self) -> Connection:
        host, port = split_address(self.address)
        try:
            reader, writer = await asyncio.open_connection(host, port, ssl=None if self._tls is None else self._tls())
        except OSError:  # some of which are a ValueError, too
            raise
        except ValueError as exc:  # what a resolver says to a name that can't be one
            raise ConnectionError(f"it is no address: {exc}") from exc
        connection = Connection(reader, writer, write_timeout_s=self._settings.write_timeout_s)
        try:
            await self._introduce(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _introduce(self, connection: Connection) -> None:
        greeting = framed(encode(hello(self._us, self._name)))
        if self._tls is None:
            greeting = PREAMBLE + greeting
        elif connection.protocol != ALPN:
            raise ProtocolError(f"what listens at {self.address} does not speak {ALPN}")
        if self._name is not None:
            self._insist(judge_names(self._name, connection.certificate_names))
        try:
            await connection.write(greeting)
            answer = decode_greeting(await connection.read_frame(MAX_GREETING_BYTES))
        except LostError as exc:
            if self._tls is None and await _speaks_tls(self.address):
                message = f"{self.address} asks for a node's certificate, and this node has none"
                raise RetryableError("node.no_certificate", message, hint=_GIVEN) from exc
            doubt = "" if self._tls is None else ": perhaps it is only starting, or does not accept our certificate"
            raise LostError(f"{exc} before it answered{doubt}") from exc.__cause__
        if isinstance(answer, Welcome):
            self._insist(judge_names(answer.name, connection.certificate_names))
        self._insist(answer)

    def _insist(self, verdict: Welcome | Refusal | None) -> None:
        if isinstance(verdict, Refusal):
            hint = _NAMED if verdict.code == "rpc.wrong_certificate" else None
            raise FatalError(verdict.code, f"{self.address}: {verdict.message}", hint=hint)


async def _speaks_tls(address: str) -> bool:
    """Say whether a TLS handshake gets an answer at an address. Nothing is said there, so nobody has to be trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(*split_address(address), ssl=context)
    except OSError:
        return False
    abort(writer)
    return True


def _refusal(exc: OSError) -> str | None:
    """Return what the other side says of our certificate, if that is why it hung up."""
    cause = exc.__cause__ if isinstance(exc, LostError) else exc
    said = _REFUSAL.fullmatch(cause.reason or "") if isinstance(cause, ssl.SSLError) else None
    return None if said is None else said[1].lower().replace("_", " ")


def _renewing(name: str) -> str:
    return f"`wire certs issue {name} … --replace` renews it; if it is still good, set the clocks of both machines"


def _reason(exc: OSError) -> str:
    """Say why nobody was reached, without numbers of errors and addresses that are known."""
    if not isinstance(exc, ssl.SSLError) and (exc.errno or 0) > 0:  # below are those of name resolution
        return os.strerror(exc.errno or 0).lower()
    return str(exc) or type(exc).__name__
