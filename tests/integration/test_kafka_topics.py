"""The Kafka source and the topics there are: found, missing, grown, deleted, created anew."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from tests.integration.kafka_kit import (
    LIMIT,
    kafka_source,
    numbered,
    read_count,
    values,
)
from tests.services.kafka_client import KafkaCluster
from wire.core.errors import FatalError, RetryableError, UnavailableError
from wire.core.records import PartitionId

pytestmark = pytest.mark.kafka


async def test_a_missing_topic_is_named_with_the_one_that_was_meant(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(f"orders-{id(kafka)}")
    async with kafka_source(kafka.bootstrap, topic=topic.replace("orders", "ordres")) as source:
        with pytest.raises(UnavailableError) as caught:
            await source.partitions()
    assert caught.value.code == "source.kafka.missing_topic"
    assert topic in str(caught.value.hint)
    assert topic.replace("orders", "ordres") not in await kafka.topics(), "asking for a topic must not create it"


async def test_a_pattern_finds_whole_names_and_topics_that_come_later(kafka: KafkaCluster) -> None:
    first = await kafka.create_topic()
    async with kafka_source(kafka.bootstrap, topic_pattern=f"{first}(-later)?") as source:
        assert await source.partitions() == [f"{first}/0"]
        await kafka.create_topic(f"{first}-later", partitions=2)
        await kafka.create_topic(f"{first}-other")
        assert set(await source.partitions()) == {f"{first}/0", f"{first}-later/0", f"{first}-later/1"}


async def test_a_pattern_that_matches_nothing_is_an_error_where_nothing_can_come_later(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    async with kafka_source(kafka.bootstrap, topic_pattern=topic[:-1], bounded=True) as source:
        with pytest.raises(UnavailableError) as caught:
            await source.partitions()
    assert caught.value.code == "source.kafka.missing_topic"
    assert topic[:-1] in caught.value.message
    assert f"`{topic}`" in str(caught.value.hint)


async def test_a_pattern_that_matches_nothing_yet_is_said_once(kafka: KafkaCluster) -> None:
    with capture_logs() as logs:
        async with kafka_source(kafka.bootstrap, topic_pattern="no-such-topic-.*") as source:
            assert await source.partitions() == []
            assert await source.partitions() == []
    assert [(entry["event"], entry["log_level"], entry["pattern"]) for entry in logs] == [
        ("no_topic_matches_yet", "warning", "no-such-topic-.*")
    ]


async def test_new_partitions_are_found_and_read_from_their_beginning(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    async with kafka_source(kafka.bootstrap, topic=topic, start="latest") as source:
        assert await source.partitions() == [f"{topic}/0"]
        await kafka.add_partitions(topic, 3)
        await kafka.produce(topic, numbered(4), partition=2)
        assert f"{topic}/2" in await source.partitions()
        reader = await source.open(PartitionId(f"{topic}/2"), None)
        assert values(await read_count(reader, 4)) == numbered(4)


async def test_a_topic_created_anew_is_not_taken_for_the_old_one(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(3))
    async with kafka_source(kafka.bootstrap, topic=topic) as source:
        (partition,) = await source.partitions()
        (batch,) = await read_count(await source.open(partition, None), 3)
    await kafka.delete_topic(topic)
    await kafka.create_topic(topic)
    await kafka.produce(topic, numbered(10, 50))
    async with kafka_source(kafka.bootstrap, topic=topic) as source:
        with pytest.raises(FatalError) as caught:
            await source.open(partition, batch.position)
    assert caught.value.code == "source.kafka.position_lost"


async def test_a_topic_created_anew_under_a_reader_stops_it(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(3))
    async with kafka_source(kafka.bootstrap, topic=topic) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        await read_count(reader, 3)
        await kafka.delete_topic(topic)
        await kafka.create_topic(topic)
        await kafka.produce(topic, numbered(10, 50))
        with pytest.raises(FatalError) as caught:
            async with asyncio.timeout(20):
                await reader.read(LIMIT)
    assert caught.value.code == "source.kafka.position_lost"


async def test_a_topic_deleted_under_a_reader_is_said_to_be_missing(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    async with kafka_source(kafka.bootstrap, topic=topic) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        await kafka.delete_topic(topic)
        with pytest.raises(RetryableError) as caught:
            async with asyncio.timeout(20):
                await reader.read(LIMIT)
        assert caught.value.code == "source.kafka.missing_topic"
        assert topic not in await kafka.topics()
