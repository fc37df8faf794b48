"""Where records go when the cluster is not what it was at the start."""

from __future__ import annotations

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from wire.clients.kafka_metadata import Topic
from wire.core.errors import RetryableError
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sinks.kafka import KafkaSinkConfig
from wire.sinks.kafka.routing import Router
from wire.testing.clock import VirtualClock


class Cluster:
    """Knows topics by their number of partitions."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts

    async def topics(self, names: list[str]) -> dict[str, Topic]:
        return {name: self._topic(name) for name in names}

    def _topic(self, name: str) -> Topic:
        error = None if name in self.counts else UnknownTopicOrPartitionError
        return Topic(name, None, False, error, dict.fromkeys(range(self.counts.get(name, 0)), 1))


async def test_a_topic_deleted_before_the_first_write_is_waited_for() -> None:
    cluster, clock = Cluster(), VirtualClock()
    config = KafkaSinkConfig(bootstrap_servers="localhost:9092", topic="flights")
    router = Router(cluster, config, clock)  # type: ignore[arg-type]
    batches = [Batch(PartitionId("p"), Position(b""), [Record(b"1", None, 0, (), 0)])]
    with pytest.raises(RetryableError) as caught:
        await router.lanes(batches)
    assert caught.value.code == "sink.kafka.missing_topic"
    cluster.counts["flights"] = 3
    lanes, misfits = await router.lanes(batches)
    assert (len(lanes), misfits) == (1, [])
