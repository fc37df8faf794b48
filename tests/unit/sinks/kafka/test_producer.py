"""What becomes of the records of a write while the leader of one of its partitions is away."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import errors

from tests.sim.loop import in_virtual_time
from wire.clients.kafka_cluster import KafkaCluster
from wire.core.records import Record
from wire.sinks.kafka.lane import Encoding, Lane, ProducerId
from wire.sinks.kafka.producer import DELIVERY_TIMEOUT_S, Producer
from wire.sinks.kafka.session import Session

AWAY, THERE = ("t", 0), ("t", 1)


class Broker:
    """Leads one of two partitions, and takes its time over each batch."""

    def __init__(self) -> None:
        self.client = self
        self.batches = 0

    def leader(self, _: str, partition: int) -> int | None:
        return 1 if partition == THERE[1] else None

    def why_leaderless(self, _: str) -> Exception:
        return errors.LeaderNotAvailableError()

    async def topics(self, _: list[str]) -> None:
        pass

    async def send(self, _: int, request: Any) -> Any:
        self.batches += 1
        await asyncio.sleep(5)
        return SimpleNamespace(topics=[("t", [(THERE[1], 0, 0)])])


def lane(target: tuple[str, int], count: int) -> Lane:
    made = Lane(target)
    made.records = [Record(b"x" * 500, None, 1, (), n) for n in range(count)]
    made.places = list(range(count))
    return made


@in_virtual_time
async def test_what_was_not_sent_in_time_is_not_taken_for_written() -> None:
    broker = Broker()
    session = Session(cast(KafkaCluster, broker))
    session.id = ProducerId(1, 0)
    lanes = [lane(AWAY, 1), lane(THERE, 100)]
    await Producer(cast(KafkaCluster, broker), session, 600).deliver(lanes, Encoding(0, None))
    assert 1 < broker.batches <= DELIVERY_TIMEOUT_S / 5 + 1
    assert all(each.done or each.problem is not None for each in lanes)
