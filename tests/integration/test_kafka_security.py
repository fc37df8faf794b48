"""Logging in, encryption and rights: that they work, and that a mistake is named without showing the password."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from tests.integration.kafka_kit import batch_of, kafka_source, kafka_writer, read_all, record
from tests.services.kafka_secure import SecureKafka
from tests.services.ports import free_ports
from wire.core.errors import UnavailableError, WireError

pytestmark = pytest.mark.kafka
Broker = SecureKafka


def sasl(kafka: Broker, mechanism: str = "SCRAM-SHA-512", **other: str) -> dict[str, Any]:
    return {"mechanism": mechanism, "username": kafka.username, "password": kafka.password, **other}


def ways_in(kafka: Broker) -> dict[str, tuple[str, dict[str, Any]]]:
    ca = str(kafka.ca_file)
    return {
        "PLAIN": (kafka.sasl, {"sasl": sasl(kafka, "PLAIN")}),
        "SCRAM-SHA-256": (kafka.sasl, {"sasl": sasl(kafka, "SCRAM-SHA-256")}),
        "SCRAM-SHA-512": (kafka.sasl, {"protocol": "SASL_PLAINTEXT", "sasl": sasl(kafka)}),
        "TLS": (kafka.tls, {"tls": {"ca": ca}}),
        "TLS, any name": (kafka.tls, {"tls": {"ca": ca, "verify": "chain"}}),
        "TLS, unverified": (kafka.tls, {"tls": {"verify": "none"}}),
        "TLS and a password": (kafka.sasl_tls, {"tls": {"ca": ca}, "sasl": sasl(kafka)}),
        "a certificate": (kafka.mtls, {"tls": {"ca": ca, "cert": str(kafka.client_file)}}),
    }


WAYS = (
    "PLAIN",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512",
    "TLS",
    "TLS, any name",
    "TLS, unverified",
    "TLS and a password",
    "a certificate",
)


@pytest.mark.parametrize("way", WAYS)
async def test_records_go_in_and_out(kafka_secure: Broker, way: str) -> None:
    bootstrap, security = ways_in(kafka_secure)[way]
    topic = await kafka_secure.create_topic()
    async with kafka_writer(bootstrap, security=security, topic=topic) as writer:
        assert not await writer.write([batch_of(record(b"x"))])
    async with kafka_source(bootstrap, security=security, topic=topic, bounded=True) as source:
        assert [r.value for r in await read_all(source)] == [b"x"]


async def refused(bootstrap: str, security: dict[str, Any], caplog: pytest.LogCaptureFixture) -> list[WireError]:
    """What the source and the sink say; nothing else may be said, and nobody may be kept waiting."""
    found = []
    with caplog.at_level(logging.DEBUG):
        for opening in (kafka_source, kafka_writer):
            started = time.monotonic()
            with pytest.raises(UnavailableError) as caught:
                async with opening(bootstrap, security=security, topic="any") as opened:
                    await opened.partitions()
            assert time.monotonic() - started < 10
            found.append(caught.value)
    assert not [line for line in caplog.messages if "secret" in line]
    assert not [entry for entry in caplog.records if entry.name.startswith("aiokafka")]
    return found


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_wrong_password(kafka_secure: Broker, mechanism: str, caplog: pytest.LogCaptureFixture) -> None:
    security = {"sasl": sasl(kafka_secure, mechanism, password="wrong-secret")}
    errors = await refused(kafka_secure.sasl, security, caplog)
    assert [e.code for e in errors] == ["source.kafka.authentication", "sink.kafka.authentication"]
    assert all("secret" not in f"{e}{e.__cause__!r}" for e in errors)
    assert all("security.sasl" in str(e.hint) and kafka_secure.sasl in e.message for e in errors)


async def test_a_certificate_nobody_trusts(kafka_secure: Broker, caplog: pytest.LogCaptureFixture) -> None:
    errors = await refused(kafka_secure.tls, {"tls": {}}, caplog)
    assert [e.code for e in errors] == ["source.kafka.tls", "sink.kafka.tls"]
    assert all("security.tls.ca" in str(e.hint) for e in errors)


async def test_a_missing_client_certificate(kafka_secure: Broker, caplog: pytest.LogCaptureFixture) -> None:
    errors = await refused(kafka_secure.mtls, {"tls": {"ca": str(kafka_secure.ca_file)}}, caplog)
    assert [e.code for e in errors] == ["source.kafka.tls", "sink.kafka.tls"]


async def test_tls_to_a_port_that_speaks_none(kafka_secure: Broker, caplog: pytest.LogCaptureFixture) -> None:
    errors = await refused(kafka_secure.bootstrap, {"tls": {"verify": "none"}}, caplog)
    assert [e.code for e in errors] == ["source.kafka.unreachable", "sink.kafka.unreachable"]
    assert all("security" in str(e.hint) for e in errors)


async def test_no_tls_to_a_port_that_demands_it(kafka_secure: Broker, caplog: pytest.LogCaptureFixture) -> None:
    errors = await refused(kafka_secure.tls, {}, caplog)
    assert [e.code for e in errors] == ["source.kafka.unreachable", "sink.kafka.unreachable"]
    assert all("security" in str(e.hint) for e in errors)


async def test_no_password_to_a_port_that_demands_one(kafka_secure: Broker, caplog: pytest.LogCaptureFixture) -> None:
    errors = await refused(kafka_secure.sasl, {}, caplog)
    assert [e.code for e in errors] == ["source.kafka.unreachable", "sink.kafka.unreachable"]


async def test_a_tls_file_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    errors = await refused("127.0.0.1:1", {"tls": {"ca": "no/such.pem"}}, caplog)
    assert [e.code for e in errors] == ["source.kafka.tls", "sink.kafka.tls"]
    assert all("security.tls.ca" in e.message and "no/such.pem" in e.message for e in errors)


async def test_a_tls_file_that_is_no_certificate(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    errors = await refused("127.0.0.1:1", {"tls": {"ca": str(tmp_path / "ca.pem")}}, caplog)
    assert [e.code for e in errors] == ["source.kafka.tls", "sink.kafka.tls"]


async def test_nobody_there(caplog: pytest.LogCaptureFixture) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    errors = await refused(address, {}, caplog)
    assert [e.code for e in errors] == ["source.kafka.unreachable", "sink.kafka.unreachable"]
    assert all(address in e.message and "refused" in e.message for e in errors)


async def test_one_broker_of_several_is_enough(kafka_secure: Broker) -> None:
    topic = await kafka_secure.create_topic()
    dead = f"127.0.0.1:{free_ports(1)[0]}"
    servers = [dead, "no-such-host.invalid:9092", kafka_secure.bootstrap]
    async with kafka_source(",".join(servers), topic=topic) as source:
        assert await source.partitions() == [f"{topic}/0"]


async def test_no_right_to_read(kafka_secure: Broker) -> None:
    topic = await kafka_secure.create_topic()
    guest = sasl(kafka_secure, username=kafka_secure.guest, password=kafka_secure.guest_password)
    async with kafka_source(kafka_secure.sasl, security={"sasl": guest}, topic=topic) as source:
        with pytest.raises(UnavailableError) as caught:
            await source.partitions()
    assert caught.value.code == "source.kafka.authorization"
    assert "ACL" in str(caught.value.hint)


async def test_no_right_to_write(kafka_secure: Broker) -> None:
    topic = await kafka_secure.create_topic()
    guest = sasl(kafka_secure, username=kafka_secure.guest, password=kafka_secure.guest_password)
    with pytest.raises(UnavailableError) as caught:
        async with kafka_writer(kafka_secure.sasl, security={"sasl": guest}, topic=topic):
            pass
    assert caught.value.code == "sink.kafka.authorization"
