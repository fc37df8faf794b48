"""What Elasticsearch's answers, and the lack of one, mean to Wire and to the user who has to do something about it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from elasticsearch import ConnectionError as ConnectionFailed
from elasticsearch import ConnectionTimeout, SSLError, TransportError

from wire.core.errors import FatalError, RetryableError, UnavailableError, WireError


class Codes(NamedTuple):
    """The codes under which one component reports what can go wrong with a cluster."""

    authentication: str
    authorization: str
    missing_index: str
    rejected: str
    tls: str
    unreachable: str
    unsupported: str


SOURCE: Final = Codes(
    authentication="source.elasticsearch.authentication",
    authorization="source.elasticsearch.authorization",
    missing_index="source.elasticsearch.missing_index",
    rejected="source.elasticsearch.rejected",
    tls="source.elasticsearch.tls",
    unreachable="source.elasticsearch.unreachable",
    unsupported="source.elasticsearch.unsupported",
)
SINK: Final = Codes(
    authentication="sink.elasticsearch.authentication",
    authorization="sink.elasticsearch.authorization",
    missing_index="sink.elasticsearch.missing_index",
    rejected="sink.elasticsearch.rejected",
    tls="sink.elasticsearch.tls",
    unreachable="sink.elasticsearch.unreachable",
    unsupported="sink.elasticsearch.unsupported",
)

_MAX_REASON: Final = 1000
_PASSING: Final = (408, 429)


class Problem(msgspec.Struct):
    """The `error` object of an answer, or of an item in it."""

    type: str = ""
    reason: str | None = None
    caused_by: Problem | None = None

    def text(self) -> str:
        """Return the reasons from the outermost to the one behind it all."""
        reasons: list[str] = []
        link: Problem | None = self
        while link is not None:
            if (reason := link.reason or link.type) and reason not in reasons:
                reasons.append(reason)
            link = link.caused_by
        return ": ".join(reasons)[:_MAX_REASON]


class _Answer(msgspec.Struct):
    error: Problem | str | None = None


def problem_of(body: bytes) -> Problem:
    """Return what an answer with an error status says is wrong, empty if it says nothing that can be read."""
    try:
        error = msgspec.json.decode(body, type=_Answer).error
    except msgspec.MsgspecError:
        return Problem(reason=body[:200].decode(errors="replace").strip() or None)
    return error if isinstance(error, Problem) else Problem(reason=error)


def passes(status: int) -> bool:
    """Say whether a request that was answered so may succeed later: too many requests, or a fault of the server's."""
    return status in _PASSING or status >= 500


def translate_status(status: int, problem: Problem, codes: Codes, doing: str) -> WireError:
    """Say what an answer means that concerns the whole request; `doing` is what was tried, in words."""
    text = f"{doing}: {problem.text() or f'HTTP status {status}'}"
    if status == 401:
        hint = "check `api_key`, or `username` and `password`"
        return UnavailableError(codes.authentication, f"{doing}: the log-in was refused", hint=hint)
    if is_block(status, problem):
        return RetryableError(codes.rejected, text, hint=BLOCK_HINT)
    if status == 403:
        hint = "give the user or the API key the privilege that the message names"
        return UnavailableError(codes.authorization, text, hint=hint)
    if status == 404 and problem.type in ("index_not_found_exception", "resource_not_found_exception"):
        return UnavailableError(codes.missing_index, text, hint="create it, or check its name")
    if passes(status):
        return RetryableError(
            codes.unreachable, text, hint="the cluster is overloaded or not whole: look at its health"
        )
    return FatalError(codes.rejected, text)


BLOCK_HINT: Final = (
    "writing is blocked: free disk space, or lift the block (`index.blocks.*` in the index's settings); "
    "Wire goes on by itself"
)


def is_block(status: int, problem: Problem) -> bool:
    """Say whether the index or the cluster is read-only for now: by hand, or because a disk is full."""
    return problem.type == "cluster_block_exception" and status in (403, 429, 503)


def translate_transport(exc: TransportError | OSError, codes: Codes, doing: str) -> WireError:
    """Say what it means that a request got no answer."""
    for link in _chain(exc):
        if isinstance(link, ssl.SSLError):
            return UnavailableError(codes.tls, f"{doing}: {_tls_reason(link)}", hint=_tls_hint(link))
    if isinstance(exc, SSLError):
        return UnavailableError(codes.tls, f"{doing}: the encrypted connection failed", hint="check `tls`")
    hint = "check the address, that Elasticsearch is up, and whether it is http or https"
    return RetryableError(codes.unreachable, f"{doing}: {_reason(exc)}", hint=hint)


def _reason(exc: BaseException) -> str:
    if isinstance(exc, ConnectionTimeout | TimeoutError):
        return "no answer in time"
    for link in _chain(exc):
        if isinstance(link, OSError) and link.errno:
            return os.strerror(link.errno).lower() if link.errno > 0 else "the host name is not known"
    return "the connection failed" if isinstance(exc, ConnectionFailed | OSError) else type(exc).__name__


def _tls_reason(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        why = getattr(exc, "verify_message", "").rstrip(".") or "verification failed"
        return f"the server's certificate is not trusted ({why})"
    why = getattr(exc, "reason", None) or "closed by the server"
    return f"the TLS handshake failed ({why.replace('_', ' ').lower()})"


def _tls_hint(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return "set `tls.ca` to the authority that signed it, or use the name that is in the certificate"
    return "check that this port speaks TLS (https), and whether it asks for a client certificate (`tls.cert`)"


def _chain(exc: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    """Every error behind an error: causes, contexts, and what the client library keeps in `errors`."""
    if exc is None or depth > 8:
        return
    yield exc
    inner: Any = getattr(exc, "errors", None) or ()
    behind = [getattr(exc, "certificate_error", None), getattr(exc, "os_error", None), exc.__cause__]
    for link in [*inner, *behind]:
        if isinstance(link, BaseException):
            yield from _chain(link, depth + 1)
