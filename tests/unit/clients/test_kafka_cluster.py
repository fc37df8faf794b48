"""What many tasks ask of one cluster at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from wire.clients import kafka_cluster
from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import SOURCE


class Client:
    """A client whose brokers are gone until it is renewed."""

    def __init__(self, answers: bool) -> None:
        self.answers = answers
        self.closed = False
        self.cluster = self

    def brokers(self) -> list[Any]:
        class Broker:
            nodeId, host, port = 1, "localhost", 9092  # noqa: N815 (aiokafka's name)

        return [Broker()]

    async def send(self, node: int, request: Any, group: Any) -> str:
        await asyncio.sleep(0)
        if not self.answers or self.closed:
            raise KafkaConnectionError
        return "answer"

    async def close(self) -> None:
        self.closed = True


async def test_of_the_connections_that_several_tasks_renew_at_once_none_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Client] = []

    async def start(options: Any, codes: Any) -> Client:
        client = Client(answers=True)
        made.append(client)
        await asyncio.sleep(0)
        return client

    monkeypatch.setattr(kafka_cluster, "_start_client", start)
    stale = Client(answers=False)
    cluster = KafkaCluster({}, stale, SOURCE)  # type: ignore[arg-type]
    assert await asyncio.gather(*(cluster.ask("question") for _ in range(3))) == ["answer"] * 3
    await cluster.close()
    assert all(client.closed for client in [stale, *made])
