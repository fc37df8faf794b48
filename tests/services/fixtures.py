"""The servers tests ask for by name. Each starts when it is first asked for.

`WIRE_TEST_KAFKA` (`host:port`), `WIRE_TEST_MONGODB` and `WIRE_TEST_ELASTICSEARCH` (URIs) name servers to use instead of
starting some; tests that kill or secure a server still start their own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from tests.services import elasticsearch as elasticsearch_server
from tests.services import java
from tests.services.elasticsearch import ElasticsearchServer
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.elasticsearch_secure import SecureElasticsearch
from tests.services.kafka import KafkaServer, Replicated, SecondBroker
from tests.services.kafka_client import KafkaCluster
from tests.services.kafka_secure import SecureKafka
from tests.services.missing import ServiceMissing, must_have_services
from tests.services.mongodb import MongoReplicaSet
from tests.services.mongodb_client import MongoDB
from tests.services.mongodb_secure import SecureMongoDB

_GOODBYE_S = 10.0


class _Startable(Protocol):
    async def start(self) -> None: ...
    def close(self) -> None: ...


ServerT = TypeVar("ServerT", bound=_Startable)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """What a fixture can't start is skipped, or fails."""
    with _skipped_if_missing():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """What a test starts itself and can't is skipped, or fails."""
    with _skipped_if_missing():
        yield


@contextmanager
def _skipped_if_missing() -> Iterator[None]:
    try:
        yield
    except ServiceMissing as missing:
        if must_have_services():
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


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
    async for server in _own(KafkaServer()):
        yield server


@pytest.fixture
async def two_brokers() -> AsyncIterator[tuple[KafkaServer, KafkaServer]]:
    """A cluster of two for this test alone; the second may be killed, and all is on both."""
    async for first in _own(KafkaServer(Replicated())):
        async for second in _own(SecondBroker(first)):
            yield first, second


@pytest.fixture(scope="session")
def mongodb() -> Iterator[MongoDB]:
    """A replica set of one that all tests share: use databases of your own, and leave it running."""
    if given := os.environ.get("WIRE_TEST_MONGODB"):
        yield MongoDB(given)
    else:
        yield from _running(MongoReplicaSet())


@pytest.fixture
async def own_mongodb() -> AsyncIterator[MongoReplicaSet]:
    """A replica set of one for this test alone, whose member may be stopped, killed, frozen and restarted."""
    async for server in _own(MongoReplicaSet()):
        yield server


@pytest.fixture
async def mongodb_cluster() -> AsyncIterator[MongoReplicaSet]:
    """A replica set of three for this test alone: its primary may be killed, frozen or made to step down."""
    async for server in _own(MongoReplicaSet(3)):
        yield server


@pytest.fixture(scope="session")
def mongodb_secure() -> Iterator[SecureMongoDB]:
    """A replica set of one with TLS, passwords and client certificates, shared by all tests."""
    yield from _running(SecureMongoDB())


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[Elasticsearch]:
    """A node that all tests share: use indices of your own, and leave it running."""
    if given := os.environ.get("WIRE_TEST_ELASTICSEARCH"):
        yield Elasticsearch(given)
    else:
        yield from _running(ElasticsearchServer())


@pytest.fixture(scope="session", params=elasticsearch_server.JAVA)
def elasticsearch_any(request: pytest.FixtureRequest) -> Iterator[Elasticsearch]:
    """A node of each version that is tested, shared likewise. The newest is skipped where no Java can run it."""
    version: str = request.param
    if version == elasticsearch_server.VERSION:
        yield request.getfixturevalue("elasticsearch")
        return
    least, most = elasticsearch_server.JAVA[version]
    if java.find_java(least, most) is None:  # not every Linux has one, so this is no failure in CI either
        pytest.skip(f"Elasticsearch {version} needs a Java runtime of version {least} to {most}")
    yield from _running(ElasticsearchServer(version))


@pytest.fixture
async def own_elasticsearch() -> AsyncIterator[ElasticsearchServer]:
    """A node for this test alone, which may be stopped, killed, frozen and restarted."""
    async for server in _own(ElasticsearchServer()):
        yield server


@pytest.fixture(scope="session")
def elasticsearch_secure() -> Iterator[SecureElasticsearch]:
    """A node with TLS, passwords and API keys, shared by all tests."""
    yield from _running(SecureElasticsearch())


async def _own(server: ServerT) -> AsyncIterator[ServerT]:
    try:
        await server.start()
        yield server
    finally:
        server.close()


def _running(server: ServerT) -> Iterator[ServerT]:
    try:
        asyncio.run(server.start())
        yield server
    finally:
        server.close()
