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
from wire.core.errors import RetryableError, UnavailableError
from wire.core.ports import Lineage
from wire.core.records import PartitionId, PartitionKey
from wire.sinks.kafka.positions import PARTITIONS, Positions, Start, hashed


class Brokers:
    """A cluster that knows a topic only some questions after it was made."""

    def __init__(self, known_after: int, policy: tuple[int, str] = (0, "compact")) -> None:
        self.client = SimpleNamespace(cluster=SimpleNamespace(brokers=lambda: [1]))
        self.made = 0
        self._left = known_after
        self._policy = policy

    async def topics(self, names: list[str]) -> dict[str, Topic]:
        self._left -= bool(self.made)
        if not self.made or self._left > 0:
            return {names[0]: Topic(names[0], None, False, errors.UnknownTopicOrPartitionError, {})}
        return {names[0]: Topic(names[0], None, False, None, dict.fromkeys(range(PARTITIONS), 1))}

    async def ask(self, request: Any) -> Any:
        if isinstance(request, CreateTopicsRequest):
            self.made += 1
            return SimpleNamespace(topic_errors=[("p", 0, "")])
        code, value = self._policy
        entries = [("cleanup.policy", value, False, 1, False, [])]
        return SimpleNamespace(resources=[(code, None, 2, "p", [] if code else entries)])


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


@pytest.mark.parametrize(("policy", "fit"), [("compact", True), ("compact,delete", False), ("delete", False)])
@in_virtual_time
async def test_a_topic_that_forgets_is_refused(policy: str, fit: bool) -> None:
    positions = Positions(cast(KafkaCluster, Brokers(0, (0, policy))), "p", Lineage("x"))
    if fit:
        await positions.require()
        return
    with pytest.raises(UnavailableError) as refused:
        await positions.require()
    assert refused.value.code == "sink.kafka.positions_topic"


@in_virtual_time
async def test_one_whose_configuration_may_not_be_seen_is_taken_as_it_is() -> None:
    await Positions(cast(KafkaCluster, Brokers(0, (29, ""))), "p", Lineage("x")).require()


def test_shares_of_any_size_overlap_where_they_have_a_partition_in_common() -> None:
    keys = [PartitionKey("in", PartitionId(f"{n}" * 20)) for n in range(30_000)]
    some, others = Start(1, "a", hashed(keys[:20_000])), Start(2, "b", hashed(keys[20_000:]))
    assert not some.overlaps(others)
    assert some.overlaps(Start(3, "c", hashed(keys[19_999:])))
    assert some.overlaps(Start(3, "c", None))
    assert len(some.share or b"") < 1 << 18
