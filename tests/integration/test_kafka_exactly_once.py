"""Records and progress in one transaction, against a real broker: what is seen, who is fenced, what is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.kafka_kit import batch_of, record
from tests.services.kafka_client import KafkaCluster
from wire.core.config import parse
from wire.core.errors import FencedError, Finding, RecordError, RestartError, UnavailableError
from wire.core.plugins import ComponentContext
from wire.core.ports import Lineage, TaskId, Writer
from wire.core.records import Checkpoint, Fingerprint, PartitionId, PartitionKey, Position
from wire.sinks.kafka import PLUGIN
from wire.sinks.kafka.exactly_once import ExactlyOnceKafkaSink, KafkaTransactions

pytestmark = pytest.mark.kafka

COMMITTED = {"isolation_level": "read_committed"}


def task(name: str, *share: PartitionKey, **more: Any) -> TaskId:
    """A task of a pipeline of its own, which reads some partitions, or all."""
    lineage = Lineage(f"{name}-{uuid4()}")
    return TaskId("default/test", lineage=lineage, share=share or None, **more)


def again(task_: TaskId, **changes: Any) -> TaskId:
    fields = {name: getattr(task_, name) for name in ("pipeline", "slot", "generation", "lineage", "share")}
    return TaskId(**fields | changes)


def key(partition: str) -> PartitionKey:
    return PartitionKey("in", PartitionId(partition))


def at(position: int, generation: int = 0) -> Checkpoint:
    return Checkpoint(
        generation=generation, seq=position, position=Position(b"%d" % position), source=Fingerprint(b"f")
    )


def positions(found: Mapping[PartitionKey, Checkpoint]) -> dict[str, int]:
    return {each.partition: int(row.position) for each, row in found.items()}


class Start:
    """One start of a task, with a sink for each topic."""

    def __init__(self, bootstrap: str, *topics: str, **transactions: Any) -> None:
        shared: dict[object, Any] = {}
        self.sinks: list[ExactlyOnceKafkaSink] = []
        for topic in topics:
            findings: list[Finding] = []
            raw = {"bootstrap_servers": bootstrap, "topic": topic, "transactions": transactions}
            config = parse(PLUGIN.config, raw, "$", findings)
            assert not findings, findings
            self.sinks.append(PLUGIN.build(config, ComponentContext("test", topic, shared=shared)))
        (self.transactions,) = shared.values()
        self.writers: list[Writer] = []

    async def begin(
        self, who: TaskId, epoch: int, stored: Mapping[PartitionKey, Checkpoint] | None = None
    ) -> dict[str, int]:
        """Recover and open; return how far each partition is."""
        assert isinstance(self.transactions, KafkaTransactions)
        found = await self.transactions.recover(who, epoch, stored or {})
        self.writers = [await sink.open(who, epoch, {}) for sink in self.sinks]
        return positions(found)

    async def write(self, *values: bytes) -> None:
        for writer in self.writers:
            assert not await writer.write([batch_of(*map(record, values))])

    async def die(self) -> None:
        """End as a killed process does, without a word."""
        await self.transactions._disconnect()


@asynccontextmanager
async def started(kafka: KafkaCluster, *topics: str, **transactions: Any) -> AsyncIterator[Start]:
    start = Start(kafka.bootstrap, *topics, **transactions)
    try:
        yield start
    finally:
        await start.transactions.close()


async def seen(kafka: KafkaCluster, topic: str) -> Sequence[bytes | None]:
    return [each.value for each in await kafka.consume(topic, **COMMITTED)]


async def test_what_all_sinks_of_a_task_were_given_is_seen_with_its_checkpoint_and_not_before(
    kafka: KafkaCluster,
) -> None:
    one, other = await kafka.create_topic(), await kafka.create_topic()
    who = task("together")
    async with started(kafka, one, other) as first:
        assert await first.begin(who, 1) == {}
        await first.write(b"a", b"b")
        assert await seen(kafka, one) == []
        await first.transactions.commit({key("p"): at(2)})
        await first.write(b"c")
        assert await seen(kafka, one) == await seen(kafka, other) == [b"a", b"b"]
    async with started(kafka, one, other) as second:  # what the first had not committed was taken back
        assert await second.begin(who, 2) == {"p": 2}
        await second.write(b"d")
        await second.transactions.commit({key("p"): at(3)})
        assert await seen(kafka, one) == await seen(kafka, other) == [b"a", b"b", b"d"]


async def test_the_checkpoint_in_the_topic_counts_where_the_store_is_behind_and_that_in_the_store_where_it_is_not(
    kafka: KafkaCluster,
) -> None:
    topic, who = await kafka.create_topic(), task("behind")
    async with started(kafka, topic) as first:
        await first.begin(who, 1)
        await first.transactions.commit({key("p"): at(5), key("q"): at(5)})
    async with started(kafka, topic) as second:
        assert await second.begin(who, 2, {key("p"): at(4), key("q"): at(6), key("r"): at(1)}) == {
            "p": 5,
            "q": 6,
            "r": 1,
        }


async def test_what_was_before_a_reset_or_is_of_an_earlier_namesake_is_of_no_account(kafka: KafkaCluster) -> None:
    topic, who = await kafka.create_topic(), task("reset")
    async with started(kafka, topic) as first:
        await first.begin(who, 1)
        await first.transactions.commit({key("p"): at(5)})
    async with started(kafka, topic) as second:
        assert await second.begin(again(who, generation=1), 2) == {}
    namesake = again(who, lineage=Lineage(who.lineage.name, 7))
    async with started(kafka, topic) as third:
        assert await third.begin(namesake, 3) == {}
    async with started(kafka, topic) as fourth:  # one that goes on from what was kept of the other
        assert await fourth.begin(namesake, 4, {key("p"): at(4)}) == {"p": 5}


async def test_a_later_start_fences_an_earlier_one_whatever_that_still_does(kafka: KafkaCluster) -> None:
    topic, who = await kafka.create_topic(), task("fence")
    async with started(kafka, topic) as first, started(kafka, topic) as second:
        await first.begin(who, 1)
        await first.write(b"mine")
        await second.begin(who, 2)
        with pytest.raises(RestartError):
            await first.transactions.commit({key("p"): at(1)})
        await second.write(b"yours")
        await second.transactions.commit({key("p"): at(1)})
        with pytest.raises(FencedError) as fenced:
            await first.begin(who, 1)
        assert fenced.value.code == "checkpoint.fenced"
        await second.write(b"and on")
        await second.transactions.commit({key("p"): at(2)})
    assert await seen(kafka, topic) == [b"yours", b"and on"]


async def test_a_write_of_one_that_was_fenced_begins_it_anew(kafka: KafkaCluster) -> None:
    topic, who = await kafka.create_topic(), task("write")
    async with started(kafka, topic) as first, started(kafka, topic) as second:
        await first.begin(who, 1)
        await first.write(b"mine")
        await second.begin(who, 2)
        with pytest.raises(RestartError) as lost:
            await first.write(b"late")
        assert lost.value.code == "sink.kafka.transaction_lost"
    assert await seen(kafka, topic) == []


async def test_a_start_whose_epoch_is_the_same_takes_over_from_itself(kafka: KafkaCluster) -> None:
    topic, who = await kafka.create_topic(), task("itself")
    async with started(kafka, topic) as start:
        await start.begin(who, 1)
        await start.write(b"lost")
        assert await start.begin(who, 1) == {}
        await start.write(b"kept")
        await start.transactions.commit({key("p"): at(1)})
        assert await start.begin(who, 1) == {"p": 1}
    assert await seen(kafka, topic) == [b"kept"]


async def test_tasks_that_read_other_partitions_leave_each_other_alone(kafka: KafkaCluster) -> None:
    topic, who = await kafka.create_topic(), task("shares", key("p"))
    beside = again(who, slot=1, share=(key("q"),))
    async with started(kafka, topic) as first, started(kafka, topic) as second:
        await first.begin(who, 1)
        await second.begin(beside, 2)
        await first.write(b"p")
        await second.write(b"q")
        await first.transactions.commit({key("p"): at(1)})
        await second.transactions.commit({key("q"): at(1)})
    async with started(kafka, topic) as third:  # dealt anew: it fences whoever had any of its partitions
        assert await third.begin(again(who, share=(key("p"), key("q"))), 3) == {"p": 1, "q": 1}
    assert sorted(await seen(kafka, topic)) == [b"p", b"q"]  # type: ignore[type-var]


async def test_the_next_start_ends_what_a_killed_process_left_open(kafka: KafkaCluster) -> None:
    topic, who = await kafka.create_topic(), task("open")
    start = Start(kafka.bootstrap, topic)
    await start.begin(who, 1)
    await start.write(b"lost")
    await start.die()
    before = await kafka.end_offsets(topic, **COMMITTED)
    assert before == {0: 0}  # consumers would wait for it
    async with started(kafka, topic) as second:
        await second.begin(who, 2)
        assert (await kafka.end_offsets(topic, **COMMITTED))[0] > 1
    assert await seen(kafka, topic) == []


async def test_a_record_that_is_refused_is_not_in_the_transaction_and_the_others_are(kafka: KafkaCluster) -> None:
    topic, who = await kafka.create_topic(), task("poison")
    async with started(kafka, topic) as start:
        await start.begin(who, 1)
        values = [b"a", b"x" * (2 << 20), b"b"]
        (failure,) = await start.writers[0].write([batch_of(*map(record, values))])
        assert failure.record == 1
        assert isinstance(failure.error, RecordError)
        await start.transactions.commit({key("p"): at(3)})
    assert await seen(kafka, topic) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("partitions", "configuration", "words"),
    [(3, {}, "has 3 partitions, and 16 are needed"), (16, {"cleanup.policy": "delete"}, "cleanup.policy is delete")],
)
async def test_a_topic_that_can_not_keep_positions_is_refused(
    kafka: KafkaCluster, partitions: int, configuration: dict[str, str], words: str
) -> None:
    topic = await kafka.create_topic()
    unfit = await kafka.create_topic(partitions=partitions, config=configuration)
    async with started(kafka, topic, topic=unfit) as start:
        with pytest.raises(UnavailableError) as refused:
            await start.begin(task("unfit"), 1)
    assert refused.value.code == "sink.kafka.positions_topic"
    assert words in refused.value.message
    assert refused.value.hint


async def test_the_topic_of_the_positions_is_made_so_that_it_keeps_the_newest(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    async with started(kafka, topic, topic=f"{topic}-positions") as start:
        await start.begin(task("make"), 1)
    assert len(await kafka.end_offsets(f"{topic}-positions")) == 16


async def test_two_tasks_that_begin_at_once_do_not_both_commit(kafka: KafkaCluster) -> None:
    topic, who = await kafka.create_topic(), task("race")
    done = []

    async def run(epoch: int) -> None:
        async with started(kafka, topic) as start:
            try:
                await start.begin(who, epoch)
                await start.write(b"%d" % epoch)
                await start.transactions.commit({key("p"): at(1)})
                done.append(epoch)
            except (FencedError, RestartError):
                return

    async with asyncio.TaskGroup() as group:
        for epoch in (1, 2, 3):
            group.create_task(run(epoch))
    assert 3 in done
    assert len(await seen(kafka, topic)) == len(done)
