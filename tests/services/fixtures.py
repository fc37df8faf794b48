"""The servers tests ask for by name. Each starts when it is first asked for.

`WIRE_TEST_KAFKA` (`host:port`) names a cluster to use instead of starting one; tests that kill or secure a broker
still start their own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

import pytest

from tests.services.kafka import KafkaServer
from tests.services.kafka_client import KafkaCluster
from tests.services.kafka_secure import SecureKafka
from tests.services.missing import ServiceMissing, must_have_services

ServerT = TypeVar("ServerT", bound=KafkaServer)


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaCluster]:
    """A broker shared by all tests: make topics of your own, and leave it running."""
    if given := os.environ.get("WIRE_TEST_KAFKA"):
        yield KafkaCluster(given)
    else:
        yield from _running(KafkaServer())


@pytest.fixture(scope="session")
def kafka_secure() -> Iterator[SecureKafka]:
    """A broker with passwords and TLS, shared by all tests."""
    yield from _running(SecureKafka())


@pytest.fixture
async def own_kafka() -> AsyncIterator[KafkaServer]:
    """A broker for this test alone, which may be stopped, killed, frozen and restarted."""
    server = KafkaServer()
    try:
        try:
            await server.start()
        except ServiceMissing as missing:
            _give_up(missing)
        yield server
    finally:
        server.close()


def _running(server: ServerT) -> Iterator[ServerT]:
    try:
        try:
            asyncio.run(server.start())
        except ServiceMissing as missing:
            _give_up(missing)
        yield server
    finally:
        server.close()


def _give_up(missing: ServiceMissing) -> None:
    if must_have_services():
        pytest.fail(str(missing), pytrace=False)
    pytest.skip(str(missing))
