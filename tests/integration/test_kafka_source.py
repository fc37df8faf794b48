"""The Kafka source against a real broker: what it reads, where it begins and ends, and what it says when it can't."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from structlog.testing import capture_logs

from tests.integration.kafka_kit import (
    LIMIT,
    kafka_source,
    numbered,
    read_all,
    read_count,
    read_to_end,
    values,
)
from tests.services.kafka_client import KafkaCluster
from tests.waiting import until
from wire.core.errors import FatalError
from wire.core.ports import ReadLimit
from wire.core.records import PartitionId, Position

pytestmark = pytest.mark.kafka


async def test_values_keys_headers_timestamps_and_tombstones_arrive_unchanged(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(
        topic, [b"one", None, b""], keys=[b"k", b"gone", None], headers=[("h", b"v")], timestamp_ms=1234
    )
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
        records = await read_all(source)
    assert [(r.value, r.key, r.offset) for r in records] == [(b"one", b"k", 0), (None, b"gone", 1), (b"", None, 2)]
    assert {(r.ts_ms, r.headers) for r in records} == {(1234, (("h", b"v"),))}


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_is_read(kafka: KafkaCluster, codec: str) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(500), compression_type=codec)
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
        assert [r.value for r in await read_all(source)] == numbered(500)


async def test_a_bounded_source_ends_at_what_was_there_when_it_was_opened(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(10))
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        await kafka.produce(topic, numbered(10, 10))
        assert values(await read_to_end(reader)) == numbered(10)
        assert await reader.read(LIMIT) is None


async def test_an_empty_topic_ends_at_once_when_bounded(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(partitions=2)
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
        assert await read_all(source) == []


async def test_reading_resumes_behind_any_batch(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(100))
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
        (partition,) = await source.partitions()
        batches = await read_to_end(await source.open(partition, None), ReadLimit(7, 1 << 20))
    for done in range(len(batches)):
        async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
            reader = await source.open(partition, batches[done].position)
            assert values(await read_to_end(reader)) == values(batches[done + 1 :])


async def test_limits_of_records_and_bytes_are_kept_and_a_larger_record_comes_alone(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    sent = [b"x" * 100] * 20 + [b"y" * 5000] + [b"z" * 100] * 3
    await kafka.produce(topic, sent)
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
        (partition,) = await source.partitions()
        batches = await read_to_end(await source.open(partition, None), ReadLimit(6, 450))
    assert values(batches) == sent
    assert max(len(batch.records) for batch in batches) <= 6
    assert all(sum(len(r.value or b"") for r in b.records) <= 450 or len(b.records) == 1 for b in batches)


async def test_aborted_transactions_are_left_out_and_do_not_hide_the_end(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await transaction(kafka, topic, numbered(5), commit=True)
    await transaction(kafka, topic, numbered(5, 100), commit=False)
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
        assert [r.value for r in await read_all(source)] == numbered(5)
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True, isolation="read_uncommitted") as source:
        assert [r.value for r in await read_all(source)] == numbered(5) + numbered(5, 100)


async def test_a_topic_of_nothing_but_aborted_records_moves_the_position_to_its_end(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await transaction(kafka, topic, numbered(5), commit=False)
    async with asyncio.timeout(30):  # the broker answers before it has written the marker that ends a transaction
        while await kafka.end_offsets(topic, isolation_level="read_committed") != {0: 6}:
            pass
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
        (partition,) = await source.partitions()
        batches = await read_to_end(await source.open(partition, None))
        assert [record for batch in batches for record in batch.records] == []
        reader = await source.open(partition, batches[-1].position)
        assert await reader.read(LIMIT) is None


async def test_records_of_an_open_transaction_wait_for_its_end(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(3))
    async with (
        kafka_source(kafka.bootstrap, topic=topic) as source,
        AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=topic) as producer,
    ):
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"open")
        assert values(await read_count(reader, 3)) == numbered(3)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.read(LIMIT)
        await producer.commit_transaction()
        assert values(await read_count(reader, 1)) == [b"open"]


async def test_places_that_compaction_emptied_are_passed(kafka: KafkaCluster) -> None:
    config = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.001",
        "max.compaction.lag.ms": "100",
    }
    topic = await kafka.create_topic(config=config)
    keys = [b"a", b"b", b"c", b"d", b"e"]
    turn = 0
    async with asyncio.timeout(45):  # the broker's cleaner looks every 15 s, at segments that newer records have closed
        while (turn := turn + 1) < 3 or len(await kafka.consume(topic)) == 5 * (turn - 1):
            await kafka.produce(topic, [b"%d" % turn] * 5, keys=keys)
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
        records = await read_all(source)
    offsets = [r.offset for r in records]
    assert len(offsets) < offsets[-1] + 1, "some places are empty"
    assert {r.key: r.value for r in records} == dict.fromkeys(keys, b"%d" % (turn - 1))
    assert offsets == sorted(set(offsets))


async def test_start_latest_begins_at_the_end_and_says_so_before_anything_arrives(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(5))
    async with kafka_source(kafka.bootstrap, topic=topic, start="latest") as source:
        (partition,) = await source.partitions()
        first = await (await source.open(partition, None)).read(LIMIT)
    assert first is not None
    assert first.records == []
    await kafka.produce(topic, numbered(3, 5))  # while nobody reads
    async with kafka_source(kafka.bootstrap, topic=topic, start="latest") as source:
        reader = await source.open(partition, first.position)
        assert values(await read_count(reader, 3)) == numbered(3, 5)


async def test_start_at_a_time_begins_with_the_first_record_that_is_not_older(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    for second in range(5):
        await kafka.produce(topic, [b"%d" % second], timestamp_ms=1_700_000_000_000 + second * 1000)
    start = datetime.datetime.fromtimestamp(1_700_000_002, datetime.UTC).isoformat()
    async with kafka_source(kafka.bootstrap, topic=topic, start=start, bounded=True) as source:
        assert [r.value for r in await read_all(source)] == [b"2", b"3", b"4"]
    async with kafka_source(kafka.bootstrap, topic=topic, start="2100-01-01T00:00:00Z", bounded=True) as source:
        assert await read_all(source) == []


async def test_start_group_begins_where_the_group_stands_and_else_at_the_beginning(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(partitions=2)
    await kafka.produce(topic, numbered(5), partition=0)
    await kafka.produce(topic, numbered(5, 5), partition=1)
    group = f"g-{topic}"
    async with kafka_source(kafka.bootstrap, topic=topic, group=group) as source:
        reader = await source.open(PartitionId(f"{topic}/0"), None)
        batches = await read_count(reader, 5, ReadLimit(3, 1 << 20))
        await reader.release(batches[0].position)
    async with kafka_source(kafka.bootstrap, topic=topic, group=group, start="group", bounded=True) as source:
        assert [r.value for r in await read_all(source)] == numbered(2, 3) + numbered(5, 5)


async def test_released_positions_are_published_to_the_group(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(partitions=2)
    await kafka.produce(topic, numbered(20), partition=1)
    group = f"g-{topic}"
    async with kafka_source(kafka.bootstrap, topic=topic, group=group) as source:
        reader = await source.open(PartitionId(f"{topic}/1"), None)
        (batch, *_) = await read_count(reader, 20, ReadLimit(15, 1 << 20))
        await reader.release(batch.position)
        async with asyncio.timeout(10):
            while (await kafka.committed_offsets(group)).get((topic, 1)) != 15:
                pass  # asking takes its time
        await reader.release(Position((20).to_bytes(8, "big")))
    assert (await kafka.committed_offsets(group))[topic, 1] == 20  # the last word, at close


async def test_a_group_with_members_of_its_own_is_left_alone_and_reading_goes_on(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(10))
    group = f"g-{topic}"
    member = AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, group_id=group, auto_offset_reset="earliest")
    async with member, kafka_source(kafka.bootstrap, topic=topic, group=group) as source:
        await member.getone()  # it has joined
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        with capture_logs() as logs:
            for _ in range(10):
                (batch,) = await read_count(reader, 1, ReadLimit(1, 1 << 20))
                await reader.release(batch.position)
            await source.close()
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("group_offsets_not_published", "warning")]
    assert "group" in logs[0]["hint"]


async def test_a_position_that_retention_removed_is_an_error_and_no_silent_reset(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(10))
    async with kafka_source(kafka.bootstrap, topic=topic) as source:
        (partition,) = await source.partitions()
        (batch,) = await read_count(await source.open(partition, None), 3, ReadLimit(3, 1 << 20))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=7)})
    await admin.close()
    async with kafka_source(kafka.bootstrap, topic=topic) as source:
        reader = await source.open(partition, batch.position)
        for _ in range(2):  # it stays so
            with pytest.raises(FatalError) as caught:
                await reader.read(LIMIT)
            assert caught.value.code == "source.kafka.position_lost"
            assert "start" in str(caught.value.hint)
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=True) as source:
        assert [r.value for r in await read_all(source)] == numbered(3, 7), "without a position, what is left is read"


@pytest.mark.parametrize("bounded", [False, True])
async def test_a_position_behind_the_end_is_an_error_and_not_the_end(kafka: KafkaCluster, bounded: bool) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(3))
    async with kafka_source(kafka.bootstrap, topic=topic, bounded=bounded) as source:
        (partition,) = await source.partitions()
        beyond = Position(
            (7).to_bytes(8, "big")
        )  # without an id: as of a broker before 2.8, or a leader that lost some
        with pytest.raises(FatalError) as caught:
            await (await source.open(partition, beyond)).read(LIMIT)
    assert caught.value.code == "source.kafka.position_lost"


async def test_records_larger_than_a_fetch_are_read(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(partitions=3, config={"max.message.bytes": "10000000"})
    large = [b"%d" % n * 3_000_000 for n in range(3)]
    for number in range(3):
        await kafka.produce(topic, [b"before", large[number], b"after"], partition=number, max_request_size=10_000_000)
    async with kafka_source(kafka.bootstrap, topic=topic, prefetch="1MiB", bounded=True) as source:
        readers = [await source.open(partition, None) for partition in await source.partitions()]
        found = await asyncio.gather(*(read_to_end(reader) for reader in readers))
    assert [values(batches) for batches in found] == [[b"before", each, b"after"] for each in large]


async def test_a_cancelled_read_loses_nothing(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    async with kafka_source(kafka.bootstrap, topic=topic) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        found: list[bytes | None] = []
        for turn in range(30):
            await kafka.produce(topic, [b"%d" % turn])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.001 * (turn % 7)):
                    found += values([await reader.read(LIMIT)])
        if len(found) < 30:
            found += values(await read_count(reader, 30 - len(found)))
    assert found == [b"%d" % turn for turn in range(30)]


async def test_what_is_not_read_is_not_fetched_without_end(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(partitions=4)
    for number in range(4):
        await kafka.produce(topic, [b"x" * 10_000] * 400, partition=number)
    async with kafka_source(kafka.bootstrap, topic=topic, prefetch="1MiB") as source:
        readers = [await source.open(partition, None) for partition in await source.partitions()]
        held = [reader._partition for reader in readers]
        await until(lambda: all(partition.ahead > 0 for partition in held))
        batches = await read_count(readers[0], 400)  # one reader goes on while the others stand still
        assert len(values(batches)) == 400
        assert sum(partition.ahead for partition in held[1:]) <= 1 << 20


async def test_lag_counts_down_to_zero(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    await kafka.produce(topic, numbered(10))
    async with kafka_source(kafka.bootstrap, topic=topic) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        assert reader.lag().event_ms is None
        batches = await read_count(reader, 4, ReadLimit(4, 1 << 20))
        assert reader.lag().records == 6
        assert reader.lag().event_ms == batches[-1].records[-1].ts_ms > 1_600_000_000_000
        await read_count(reader, 6)
        assert reader.lag().records == 0


async def transaction(kafka: KafkaCluster, topic: str, sent: list[bytes], *, commit: bool) -> None:
    options: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap, "transactional_id": f"{topic}-{commit}"}
    async with AIOKafkaProducer(**options) as producer:
        await producer.begin_transaction()
        for value in sent:
            await producer.send_and_wait(topic, value)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
