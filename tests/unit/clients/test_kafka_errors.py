"""What the library's errors become: the code says what to do next, and nothing secret gets through."""

from __future__ import annotations

import ssl

import pytest
from aiokafka import errors

from wire.clients.kafka_errors import SINK, SOURCE, missing_topic, reason, translate
from wire.core.errors import FatalError, RetryableError, UnavailableError, WireError


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (errors.NodeNotReadyError(), RetryableError, "source.kafka.unreachable"),
        (errors.RequestTimedOutError(), RetryableError, "source.kafka.unreachable"),
        (errors.NotLeaderForPartitionError(), RetryableError, "source.kafka.unreachable"),
        (ConnectionRefusedError(111, "x"), RetryableError, "source.kafka.unreachable"),
        (TimeoutError(), RetryableError, "source.kafka.unreachable"),
        (errors.UnknownTopicOrPartitionError(), RetryableError, "source.kafka.missing_topic"),
        (errors.TopicAuthorizationFailedError("t"), UnavailableError, "source.kafka.authorization"),
        (errors.GroupAuthorizationFailedError("g"), UnavailableError, "source.kafka.authorization"),
        (errors.SaslAuthenticationFailed("no"), UnavailableError, "source.kafka.authentication"),
        (errors.UnsupportedSaslMechanismError("no"), UnavailableError, "source.kafka.authentication"),
        (ssl.SSLCertVerificationError(1, "bad"), UnavailableError, "source.kafka.tls"),
        (ssl.SSLError(1, "bad"), UnavailableError, "source.kafka.tls"),
        (errors.InvalidGroupIdError(), UnavailableError, "source.kafka.rejected"),
    ],
)
def test_each_kind_of_error_has_its_code(error: BaseException, kind: type[WireError], code: str) -> None:
    found = translate(error, SOURCE, "reading t/0")
    assert type(found) is kind
    assert found.code == code
    assert found.message.startswith("reading t/0: ")
    assert found.hint


def test_the_cause_of_a_closed_connection_counts() -> None:
    closed = errors.KafkaConnectionError("Connection at a:1 closed")
    closed.__cause__ = errors.SaslAuthenticationFailed("invalid credentials for bob")
    assert translate(closed, SINK, "connecting").code == "sink.kafka.authentication"


def test_reasons_are_short_words() -> None:
    assert reason(errors.NotLeaderForPartitionError()) == "not leader for partition"
    assert reason(ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)")) == "connection refused"
    assert reason(TimeoutError()) == "no answer in time"


def test_a_missing_topic_suggests_the_one_that_was_meant() -> None:
    found = missing_topic(SOURCE, "flihgts", ["flights", "orders"])
    assert isinstance(found, FatalError)
    assert found.hint == "did you mean `flights`?"
    assert "create it" in str(missing_topic(SOURCE, "zzz", ["flights"]).hint)
