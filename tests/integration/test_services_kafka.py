"""The launcher itself: a test that kills a broker is worth something only if the broker really dies and comes back."""

from __future__ import annotations

import os
import select
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from aiokafka.producer import AIOKafkaProducer

from tests.services.kafka import KafkaServer
from tests.services.kafka_client import KafkaCluster
from tests.services.kafka_secure import SecureKafka

pytestmark = pytest.mark.kafka


async def test_records_come_back_in_order_with_keys_and_headers(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(partitions=2)
    await kafka.produce(topic, [b"a", b"b", None], keys=[b"k"] * 3, partition=1, headers=[("h", b"v")], timestamp_ms=7)
    records = await kafka.consume(topic)
    assert [(r.value, r.key, r.partition, r.offset) for r in records] == [
        (b"a", b"k", 1, 0),
        (b"b", b"k", 1, 1),
        (None, b"k", 1, 2),
    ]
    assert records[0].headers == (("h", b"v"),)
    assert records[0].timestamp == 7


async def test_topics_can_be_grown_and_deleted(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(config={"cleanup.policy": "compact"})
    await kafka.add_partitions(topic, 3)
    assert await kafka.end_offsets(topic) == {0: 0, 1: 0, 2: 0}
    await kafka.delete_topic(topic)
    assert topic not in await kafka.topics()


async def test_waiting_for_more_records_than_come_says_how_many_came(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, [b"1"])
    with pytest.raises(TimeoutError, match="1 records"):
        await kafka.consume(topic, 2, deadline_s=0.5)


async def test_a_missing_topic_is_an_error_and_is_not_created(kafka: KafkaCluster) -> None:
    with pytest.raises(KafkaError):
        await kafka.consume("not-there")
    assert "not-there" not in await kafka.topics()


async def test_nobody_has_committed_for_a_group_that_never_was(kafka: KafkaCluster) -> None:
    assert await kafka.committed_offsets("nobody") == {}


async def test_a_killed_broker_comes_back_with_what_it_acknowledged(own_kafka: KafkaServer) -> None:
    topic, pid, bootstrap = await own_kafka.create_topic(), own_kafka.pid, own_kafka.bootstrap
    await own_kafka.produce(topic, [b"before"])
    own_kafka.kill()
    assert not await own_kafka.answers()
    await own_kafka.start()
    await own_kafka.produce(topic, [b"after"])
    assert [record.value for record in await own_kafka.consume(topic)] == [b"before", b"after"]
    assert own_kafka.bootstrap == bootstrap
    assert own_kafka.pid != pid


async def test_a_frozen_broker_answers_only_when_it_is_thawed(own_kafka: KafkaServer) -> None:
    own_kafka.pause()
    assert not await own_kafka.answers()
    own_kafka.resume()
    topic = await own_kafka.create_topic()
    own_kafka.pause()
    await own_kafka.restart()  # a frozen broker can be stopped too
    assert topic in await own_kafka.topics()


async def _users_topics(**options: object) -> list[str]:
    admin = AIOKafkaAdminClient(request_timeout_ms=5000, **options)
    try:
        await admin.start()
        return list(await admin.list_topics())
    finally:
        await admin.close()


@pytest.mark.parametrize("mechanism", SecureKafka.mechanisms)
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
async def test_a_user_is_let_in_by_password(kafka_secure: SecureKafka, protocol: str, mechanism: str) -> None:
    topic = await kafka_secure.create_topic()
    encrypted = protocol == "SASL_SSL"
    login = {
        "bootstrap_servers": kafka_secure.sasl_tls if encrypted else kafka_secure.sasl,
        "security_protocol": protocol,
        "sasl_mechanism": mechanism,
        "sasl_plain_username": kafka_secure.username,
        "ssl_context": ssl.create_default_context(cafile=kafka_secure.ca_file) if encrypted else None,
    }
    assert topic in await _users_topics(**login, sasl_plain_password=kafka_secure.password)
    with pytest.raises(KafkaError):
        await _users_topics(**login, sasl_plain_password="wrong")


async def test_tls_without_a_password_and_with_a_clients_certificate(kafka_secure: SecureKafka) -> None:
    topic = await kafka_secure.create_topic()
    context = ssl.create_default_context(cafile=kafka_secure.ca_file)
    options = {"security_protocol": "SSL", "ssl_context": context}
    assert topic in await _users_topics(bootstrap_servers=kafka_secure.tls, **options)
    with pytest.raises((KafkaError, ssl.SSLError, OSError)):
        await _users_topics(bootstrap_servers=kafka_secure.mtls, **options)
    context.load_cert_chain(kafka_secure.client_file)
    assert topic in await _users_topics(bootstrap_servers=kafka_secure.mtls, **options)


async def test_a_guest_may_not_write(kafka_secure: SecureKafka) -> None:
    topic = await kafka_secure.create_topic()
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_secure.sasl,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username=kafka_secure.guest,
        sasl_plain_password=kafka_secure.guest_password,
    ) as producer:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(topic, b"x")


def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys, threading\n"
        "from tests.services.process import Process\n"
        "async def main():\n"
        "    server = await Process.spawn(['sleep', '1000'], pathlib.Path(sys.argv[1]))\n"
        "    print(server.pid, flush=True)\n"
        "asyncio.run(main())\n"
        "threading.Event().wait()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        server = os.pidfd_open(int(parent.stdout.readline()))
        try:
            assert not _has_ended(server, within_s=0)
            parent.kill()
            assert _has_ended(server, within_s=10)
        finally:
            os.close(server)


def _has_ended(pidfd: int, within_s: float) -> bool:
    return bool(select.select([pidfd], [], [], within_s)[0])
