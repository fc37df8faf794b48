"""The topic of the positions, as brokers tell of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import errors
from aiokafka.protocol.admin import CreateTopicsRequest

from tests.sim.loop import in_virtual_time
from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_metadata import Topic
from wire.core.errors import RetryableError
from wire.core.ports import Lineage
from wire.sinks.kafka.positions import PARTITIONS, Positions


class Brokers:
    """A cluster that knows a topic only some questions after it was made."""

    def __init__(self, known_after: int) -> None:
        self.client = SimpleNamespace(cluster=SimpleNamespace(brokers=lambda: [1]))
        self.made = 0
        self._left = known_after

    async def topics(self, names: list[str]) -> dict[str, Topic]:
        self._left -= bool(self.made)
        if not self.made or self._left > 0:
            return {names[0]: Topic(names[0], None, False, errors.UnknownTopicOrPartitionError, {})}
        return {names[0]: Topic(names[0], None, False, None, dict.fromkeys(range(PARTITIONS), 1))}

    async def ask(self, request: Any) -> Any:
        if isinstance(request, CreateTopicsRequest):
            self.made += 1
            return SimpleNamespace(topic_errors=[("p", 0, "")])
        return SimpleNamespace(resources=[])


@in_virtual_time
async def test_a_topic_that_was_made_just_now_is_waited_for() -> None:
    brokers = Brokers(known_after=3)
    await Positions(cast(KafkaCluster, brokers), "p", Lineage("x")).require()
    assert brokers.made == 1


@in_virtual_time
async def test_one_that_never_comes_to_be_known_is_asked_for_again_later() -> None:
    with pytest.raises(RetryableError) as failure:
        await Positions(cast(KafkaCluster, Brokers(known_after=10**6)), "p", Lineage("x")).require()
    assert failure.value.code == "sink.kafka.missing_topic"
