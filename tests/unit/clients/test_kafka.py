"""The configuration of a connection: what is accepted, and what is said about what isn't."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from wire.clients.kafka import KafkaConnection
from wire.core.config import parse
from wire.core.errors import Finding


def parsed(data: dict[str, Any]) -> tuple[KafkaConnection | None, list[Finding]]:
    findings: list[Finding] = []
    return parse(KafkaConnection, data, "$", findings), findings


@pytest.mark.parametrize(
    ("given", "servers"),
    [
        ("localhost:9092", ["localhost:9092"]),
        (["a:1", "b:2"], ["a:1", "b:2"]),
        ("a:1, b:2,", ["a:1", "b:2"]),
        ("[::1]:9092", ["[::1]:9092"]),
    ],
)
def test_servers_are_one_text_or_a_list(given: object, servers: list[str]) -> None:
    connection, findings = parsed({"bootstrap_servers": given})
    assert not findings
    assert connection is not None
    assert connection.servers == servers


@pytest.mark.parametrize("given", ["", [], "localhost", "localhost:", "localhost:kafka", "localhost:0", ["a:1", "b"]])
def test_a_server_without_a_port_is_a_mistake(given: object) -> None:
    connection, findings = parsed({"bootstrap_servers": given})
    assert connection is None
    assert findings[0].message.startswith("`bootstrap_servers`")
    assert "localhost:9092" in str(findings[0].hint)


SASL = {"mechanism": "PLAIN", "username": "u", "password": "p4ssw0rd"}


@pytest.mark.parametrize(
    ("security", "encrypted"),
    [
        ({}, False),
        ({"tls": {}}, True),
        ({"sasl": SASL}, False),
        ({"sasl": SASL, "tls": {}}, True),
        ({"protocol": "SSL"}, True),
        ({"protocol": "SASL_SSL", "sasl": SASL}, True),
        ({"protocol": "SASL_PLAINTEXT", "sasl": SASL}, False),
    ],
)
def test_encryption_follows_from_tls_or_the_protocol(security: dict[str, Any], encrypted: bool) -> None:
    connection, findings = parsed({"bootstrap_servers": "a:1", "security": security})
    assert not findings
    assert connection is not None
    assert connection.security.encrypted is encrypted


@pytest.mark.parametrize(
    ("security", "said"),
    [
        ({"protocol": "SASL_SSL"}, "SASL_SSL needs `sasl`"),
        ({"protocol": "SSL", "sasl": SASL}, "SSL does not go with `sasl`"),
        ({"protocol": "PLAINTEXT", "tls": {}}, "PLAINTEXT does not go with `tls`"),
        ({"tls": {"key": "key.pem"}}, "needs the certificate"),
        ({"sasl": SASL | {"mechanism": "GSSAPI"}}, "one of PLAIN"),
        ({"protocol": "TLS"}, "one of PLAINTEXT, SSL"),
    ],
)
def test_combinations_that_make_no_sense_are_mistakes(security: dict[str, Any], said: str) -> None:
    connection, findings = parsed({"bootstrap_servers": "a:1", "security": security})
    assert connection is None
    assert said in findings[0].message
    assert "p4ssw0rd" not in str(findings)


def test_the_password_is_never_shown() -> None:
    connection, _ = parsed({"bootstrap_servers": "a:1", "security": {"sasl": SASL}})
    assert "p4ssw0rd" not in repr(connection)


def test_the_configuration_is_known_without_the_client_library() -> None:
    script = "import sys; sys.modules['aiokafka'] = None; import wire.sources.kafka, wire.sinks.kafka"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
