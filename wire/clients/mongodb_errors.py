"""What MongoDB's errors mean to Wire, and to the user who has to do something about them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from bson.errors import BSONError
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    CursorNotFound,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from wire.core.errors import RetryableError, UnavailableError, WireError


class Codes(NamedTuple):
    """The codes under which one component reports what can go wrong with a deployment."""

    authentication: str
    authorization: str
    rejected: str
    tls: str
    unreachable: str


SOURCE: Final = Codes(
    authentication="source.mongodb.authentication",
    authorization="source.mongodb.authorization",
    rejected="source.mongodb.rejected",
    tls="source.mongodb.tls",
    unreachable="source.mongodb.unreachable",
)

ERRORS: Final = (PyMongoError, BSONError, OSError, TimeoutError)
"""What a call of the client library may raise for reasons that are nobody's mistake here."""

_AUTHENTICATION: Final = frozenset({11, 18, 8000})  # UserNotFound, AuthenticationFailed, Atlas' own
_UNAUTHORIZED: Final = frozenset({13})
# The deployment is about to have another primary, is shutting down, or has lost a cursor: it passes.
# https://github.com/mongodb/specifications/blob/master/source/change-streams/change-streams.md#resumable-error
_PASSING: Final = frozenset(
    {6, 7, 43, 50, 63, 64, 89, 91, 112, 133, 134, 150, 175, 189, 234, 237, 262}
    | {9001, 10107, 11600, 11602, 13388, 13435, 13436}
)
_TLS: Final = re.compile(r"SSL handshake failed|certificate verify failed|CERTIFICATE_VERIFY_FAILED|\[SSL", re.I)
_UNTRUSTED: Final = re.compile(r"certificate verify failed:? ?([^(\[,]*)", re.I)


def translate(exc: BaseException, codes: Codes, doing: str) -> WireError:
    """Say what an error of the client library means; `doing` is what was tried, in words (`reading shop.orders`)."""
    if isinstance(exc, OperationFailure) and not isinstance(exc, CursorNotFound):
        return _refusal(exc, codes, doing)
    if isinstance(exc, ConfigurationError):
        return UnavailableError(codes.rejected, f"{doing}: {exc}", hint="check `uri`, `tls` and `auth`")
    if isinstance(exc, ConnectionFailure | OSError) and _TLS.search(str(exc)):
        return _tls(exc, codes, doing)
    if isinstance(exc, ConnectionFailure | CursorNotFound | OSError | TimeoutError):
        return RetryableError(codes.unreachable, f"{doing}: {reason(exc)}", hint="check that the servers are up")
    return UnavailableError(codes.rejected, f"{doing}: {reason(exc)}")


def reason(exc: BaseException) -> str:
    """Say what happened in a few words, without anything the user configured as a secret."""
    if isinstance(exc, ServerSelectionTimeoutError):
        return f"no server answers ({_short(exc)})"
    if isinstance(exc, TimeoutError | NetworkTimeout):
        return "no answer in time"
    if isinstance(exc, OperationFailure):
        text = str((exc.details or {}).get("errmsg") or exc)
        return text.split(", full error:", 1)[0][:500]
    return _short(exc)


def _refusal(exc: OperationFailure, codes: Codes, doing: str) -> WireError:
    if exc.code in _AUTHENTICATION:
        hint = "check the user, the password and the database that holds the user (`authSource`)"
        return UnavailableError(codes.authentication, f"{doing}: the log-in was refused", hint=hint)
    if exc.code in _UNAUTHORIZED:
        hint = "grant the user a role that allows it"
        return UnavailableError(codes.authorization, f"{doing}: {reason(exc)}", hint=hint)
    if is_passing(exc):
        return RetryableError(codes.unreachable, f"{doing}: {reason(exc)}", hint="check that there is a primary")
    return UnavailableError(codes.rejected, f"{doing}: {reason(exc)}")


def is_passing(exc: BaseException) -> bool:
    """Say whether trying again may help: a step-down, a lost cursor, a cut connection."""
    if isinstance(exc, OperationFailure):
        labels = ("ResumableChangeStreamError", "RetryableWriteError", "TransientTransactionError")
        return exc.code in _PASSING or any(map(exc.has_error_label, labels))
    return isinstance(exc, ConnectionFailure | OSError | TimeoutError) and not _TLS.search(str(exc))


def _tls(exc: BaseException, codes: Codes, doing: str) -> UnavailableError:
    untrusted = _UNTRUSTED.search(str(exc))
    if untrusted is None:
        hint = "check that the servers speak TLS, and whether they ask for a client certificate (`tls.cert`)"
        return UnavailableError(codes.tls, f"{doing}: the TLS handshake failed", hint=hint)
    why = untrusted[1].strip().rstrip(".").lower() or "verification failed"
    hint = "set `tls.ca` to the authority that signed it, or use the name the certificate is for"
    return UnavailableError(codes.tls, f"{doing}: the server's certificate is not trusted ({why})", hint=hint)


def _short(exc: BaseException) -> str:
    text = str(exc).split(", Timeout:", 1)[0].split(" (configured timeouts", 1)[0]
    return text[:300] or type(exc).__name__
