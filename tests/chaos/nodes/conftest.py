"""Servers of our own for all trials: they are killed and frozen, and must not be anybody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest
import pytest_asyncio

from tests.chaos.nodes.cluster import cluster
from tests.chaos.nodes.trial import SEED, Services, Trial, begin
from tests.services.elasticsearch import ElasticsearchServer
from tests.services.kafka import KafkaServer
from tests.services.mongodb import MongoReplicaSet


@pytest.fixture(scope="session")
def own_elasticsearch_and_others() -> Iterator[Services]:
    """A broker, a replica set of one and an Elasticsearch node."""
    services = Services(KafkaServer(), MongoReplicaSet(), ElasticsearchServer())
    servers = services.kafka, services.mongodb, services.elasticsearch

    async def start() -> None:
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(server.start())

    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.close)
        asyncio.run(start())
        yield services


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def trial(
    own_elasticsearch_and_others: Services, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Trial]:
    """Three nodes on this machine, with both routes at work."""
    print(f"WIRE_CHAOS_SEED={SEED}")
    services = own_elasticsearch_and_others
    async with cluster(tmp_path_factory.mktemp("nodes"), ("n1", "n2", "n3"), services.environ) as nodes:
        yield await begin(nodes, services)
