"""Whom the fetcher asks, whoever it is that learns who leads."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataResponse_v5

from tests.unit.sources.kafka.test_memory import record_batch
from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import SOURCE
from wire.clients.kafka_offsets import Isolation
from wire.core.clock import SystemClock
from wire.sources.kafka.fetcher import Fetcher
from wire.sources.kafka.partition import Partition

DEADLINE_S = 30
NOBODY = -1


class Brokers:
    """Brokers behind one client: they say that `leader` leads the topic's only partition, and hold fetches open."""

    def __init__(self, leader: int) -> None:
        self.leader = leader
        self.fetches: asyncio.Queue[tuple[int, asyncio.Future[bytes]]] = asyncio.Queue()
        self.cluster = self

    def update_metadata(self, _: Any) -> None: ...

    def brokers(self) -> list[Any]:
        return [SimpleNamespace(nodeId=1, host="localhost", port=9092)]

    async def send(self, node: int, request: Any, group: Any = None) -> Any:
        if not isinstance(request, FetchRequest):
            partitions = [(0, 0, self.leader, [1, 2], [1, 2], [])]
            return MetadataResponse_v5(0, [(1, "localhost", 9092, None)], None, 1, [(0, "t", False, partitions)])
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.fetches.put_nowait((node, answer))
        return SimpleNamespace(API_VERSION=4, error_code=0, topics=[("t", [(0, 0, 0, 0, [], await answer)])])


async def test_a_leader_that_is_learnt_by_another_question_is_fetched_from() -> None:
    brokers = Brokers(leader=1)
    cluster = KafkaCluster({}, brokers, SOURCE)  # type: ignore[arg-type]
    fetcher = Fetcher(cluster, Isolation.READ_UNCOMMITTED, 1 << 20, SystemClock())
    fetcher.add(Partition("t", 0, 0, None, None))
    async with asyncio.timeout(DEADLINE_S):
        node, answer = await brokers.fetches.get()
        assert node == 1
        brokers.leader = 2
        await cluster.topics(None)  # as the search for new partitions asks, beside the fetcher
        answer.set_result(record_batch(0, 1))
        node, answer = await brokers.fetches.get()
        assert node == 2
        brokers.leader = NOBODY
        await cluster.topics(None)
        brokers.leader = 1
        answer.set_result(b"")
        assert (await brokers.fetches.get())[0] == 1
    await fetcher.close()
