"""What Kafka's errors mean to Wire, and to the user who has to do something about them."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterable
from typing import Final, NamedTuple

from aiokafka import errors
from aiokafka.errors import KafkaError

from wire.core.config import suggest
from wire.core.errors import RetryableError, UnavailableError, WireError


class Codes(NamedTuple):
    """The codes under which one component reports what can go wrong with a cluster."""

    authentication: str
    authorization: str
    missing_topic: str
    rejected: str
    tls: str
    unreachable: str


SOURCE: Final = Codes(
    authentication="source.kafka.authentication",
    authorization="source.kafka.authorization",
    missing_topic="source.kafka.missing_topic",
    rejected="source.kafka.rejected",
    tls="source.kafka.tls",
    unreachable="source.kafka.unreachable",
)
SINK: Final = Codes(
    authentication="sink.kafka.authentication",
    authorization="sink.kafka.authorization",
    missing_topic="sink.kafka.missing_topic",
    rejected="sink.kafka.rejected",
    tls="sink.kafka.tls",
    unreachable="sink.kafka.unreachable",
)

REJECTED_HINT: Final = "the broker's log says more about why it refuses"

_AUTHENTICATION: Final = (
    errors.AuthenticationFailedError,
    errors.AuthenticationMethodNotSupported,
    errors.IllegalSaslStateError,
    errors.SaslAuthenticationFailed,
    errors.UnsupportedSaslMechanismError,
)
_AUTHORIZATION: Final = (
    errors.ClusterAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.TopicAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
)


def translate(exc: BaseException, codes: Codes, doing: str) -> WireError:
    """Say what an error of the client library means; `doing` is what was tried, in words (`reading flights/3`)."""
    known = translate_refusal(exc, codes, doing)
    if known is not None:
        return known
    if isinstance(exc, errors.UnknownTopicOrPartitionError):
        message = f"{doing}: the broker does not know the topic or partition"
        return RetryableError(codes.missing_topic, message, hint="check whether the topic has been deleted")
    if isinstance(exc, TimeoutError | OSError) or (isinstance(exc, KafkaError) and exc.retriable):
        return RetryableError(codes.unreachable, f"{doing}: {reason(exc)}", hint="check that the brokers are up")
    return UnavailableError(codes.rejected, f"{doing}: {reason(exc)}", hint=REJECTED_HINT)


def translate_refusal(exc: BaseException, codes: Codes, doing: str) -> UnavailableError | None:
    """Return what a refused log-in, right or certificate means, None if the error is something else."""
    for link in _chain(exc):
        if isinstance(link, _AUTHENTICATION):
            hint = "check `security.sasl`: mechanism, username and password"
            return UnavailableError(codes.authentication, f"{doing}: the log-in was refused", hint=hint)
        if isinstance(link, _AUTHORIZATION):
            hint = "ask for the right (an ACL) for the user in `security`"
            return UnavailableError(codes.authorization, f"{doing}: {reason(link)}", hint=hint)
        if isinstance(link, ssl.SSLError):
            return UnavailableError(codes.tls, f"{doing}: {_tls_reason(link)}", hint=_tls_hint(link))
    return None


def missing_topic(codes: Codes, topic: str, known: Iterable[str]) -> UnavailableError:
    """Describe a topic that is not there, with the one that was probably meant."""
    hint = suggest(topic, known) or "create it, or check its name and the user's right to see it"
    return UnavailableError(codes.missing_topic, f"there is no topic `{topic}`", hint=hint)


def no_match(codes: Codes, pattern: str, near: str | None) -> UnavailableError:
    """Describe a pattern that matches no topic's whole name; `near` is a name it matches a part of."""
    hint = "check the pattern, and the user's right to see the topics"
    if near is not None:
        hint = f"it must match the whole name, such as `{near}`"
    return UnavailableError(codes.missing_topic, f"no topic matches `{pattern}`", hint=hint)


def reason(exc: BaseException) -> str:
    """Say what happened in a few words, without anything the user configured as a secret."""
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    if isinstance(exc, socket.gaierror):
        return "the host name is not known"
    if isinstance(exc, OSError):
        return os.strerror(exc.errno).lower() if exc.errno else "the connection failed"
    if isinstance(exc, errors.BrokerResponseError):
        return str(exc.message).replace("_", " ").lower()
    return "the connection was closed" if isinstance(exc, errors.KafkaConnectionError) else type(exc).__name__


def _tls_reason(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        why = getattr(exc, "verify_message", "").rstrip(".") or "verification failed"
        return f"the broker's certificate is not trusted ({why})"
    why = getattr(exc, "reason", None) or "closed by the broker"
    return f"the TLS handshake failed ({why.replace('_', ' ').lower()})"


def _tls_hint(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return "set `security.tls.ca` to the authority that signed it, or correct the broker's name"
    return "check that this port speaks TLS, and whether it asks for a client certificate (`security.tls.cert`)"


def _chain(exc: BaseException | None) -> Iterable[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__
