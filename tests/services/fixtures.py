"""The servers tests ask for by name. Each starts when it is first asked for.

`WIRE_TEST_KAFKA` (`host:port`) names a cluster to use instead of starting one; tests that kill or secure a broker
still start their own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.services.kafka import KafkaServer
from tests.services.kafka_client import KafkaCluster
from tests.services.kafka_secure import SecureKafka
from tests.services.missing import ServiceMissing, must_have_services

_GOODBYE_S = 10.0
ServerT = TypeVar("ServerT", bound=KafkaServer)


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaCluster]:
    """A broker shared by all tests: make topics of your own, and leave it running."""
    if given := os.environ.get("WIRE_TEST_KAFKA"):
        yield KafkaCluster(given)
    else:
        yield from _running(KafkaServer())


@pytest.fixture(scope="session")
def _secure_broker() -> Iterator[SecureKafka]:
    yield from _running(SecureKafka())


@pytest.fixture
async def kafka_secure(_secure_broker: SecureKafka) -> AsyncIterator[SecureKafka]:
    """A broker with passwords and TLS, shared by all tests. After a test, connections get the time to say goodbye.

    The client library closes a connection it gives up on without waiting; with TLS that takes a round trip, and a
    loop that ends first leaves an open socket, which some later test is then blamed for.
    """
    before = _open_sockets()
    yield _secure_broker
    async with asyncio.timeout(_GOODBYE_S):
        while _open_sockets() > before:
            await asyncio.sleep(0.01)


def _open_sockets() -> int:
    links = (link for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return sum(link.readlink().name.startswith("socket:") for link in links)


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
