"""The Kafka sink against a real broker: what arrives where, in which order, and the verdicts on what can't."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from decimal import Decimal

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest

from tests.integration.kafka_kit import batch_of, kafka_writer, record
from tests.services.kafka_client import KafkaCluster
from wire.core.clock import SystemClock
from wire.core.errors import RecordError, UnavailableError

pytestmark = pytest.mark.kafka


async def test_values_keys_headers_timestamps_and_tombstones_arrive_unchanged(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    sent = [
        record(b"one", b"k", headers=(("h", b"v"), ("h", b"w")), ts_ms=1234),
        record(None, b"gone"),
        record(b"", None),
        record(None, None),
    ]
    async with kafka_writer(kafka.bootstrap, topic=topic) as writer:
        assert not await writer.write([batch_of(*sent)])
    arrived = await kafka.consume(topic, 4)
    assert [(r.value, r.key, r.timestamp, r.headers) for r in arrived] == [
        (r.value, r.key, r.ts_ms, r.headers) for r in sent
    ]


CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
"""In the order of their numbers in the protocol."""


@pytest.mark.parametrize("codec", CODECS)
async def test_every_compression_is_written(kafka: KafkaCluster, codec: str) -> None:
    topic = await kafka.create_topic()
    async with kafka_writer(kafka.bootstrap, topic=topic, compression=codec) as writer:
        assert not await writer.write([batch_of(*(record(b"%d" % n * 20) for n in range(500)))])
    assert [r.value for r in await kafka.consume(topic, 500)] == [b"%d" % n * 20 for n in range(500)]
    assert await codec_of_first_batch(kafka, topic) == codec


async def codec_of_first_batch(kafka: KafkaCluster, topic: str) -> str:
    """Return what the broker keeps: a record batch, format 2, has its attributes in bytes 21 and 22."""
    client = AIOKafkaClient(bootstrap_servers=kafka.bootstrap)
    await client.bootstrap()
    try:
        (broker, *_) = client.cluster.brokers()
        request = FetchRequest(100, 1, 1 << 20, 0, [(topic, [(0, 0, 1 << 20)])])
        ((_, ((*_, raw),)),) = (await client.send(broker.nodeId, request)).topics
    finally:
        await client.close()
    return CODECS[raw[22] & 0b111]


async def test_keys_go_where_any_other_producer_puts_them(kafka: KafkaCluster) -> None:
    ours, theirs = await kafka.create_topic(partitions=7), await kafka.create_topic(partitions=7)
    keys = [b"x" * (n % 11) + b"%d" % n for n in range(200)]
    async with kafka_writer(kafka.bootstrap, topic=ours) as writer:
        assert not await writer.write([batch_of(*(record(key, key) for key in keys))])
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        await asyncio.gather(*[await producer.send(theirs, key, key) for key in keys])
    places = [{r.key: r.partition for r in await kafka.consume(topic, 200)} for topic in (ours, theirs)]
    assert places[0] == places[1]


async def test_records_without_a_key_go_to_one_partition_per_write_and_to_all_in_turn(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(partitions=3)
    async with kafka_writer(kafka.bootstrap, topic=topic) as writer:
        for turn in range(6):
            assert not await writer.write([batch_of(*(record(b"%d" % turn) for _ in range(4)))])
    by_turn: defaultdict[bytes, set[int]] = defaultdict(set)
    for arrived in await kafka.consume(topic, 24):
        by_turn[arrived.value].add(arrived.partition)
    assert all(len(partitions) == 1 for partitions in by_turn.values())
    assert set.union(*by_turn.values()) == {0, 1, 2}


async def test_key_topic_and_partition_by_record(kafka: KafkaCluster) -> None:
    one, two = await kafka.create_topic(partitions=4), await kafka.create_topic()
    config = {"topic": {"expr": "topic"}, "key": "key", "partition": "partition"}
    records = [record(b"%d" % n, b"own") for n in range(7)]
    columns = {
        "topic": [one, two, one, "no-such-topic", one, None, two],
        "key": ["é", 5, None, "k", [1, True], "k", {"id": [2**70, Decimal("1.50")]}],
        "partition": [3, None, 2, None, 99, None, None],
    }
    async with kafka_writer(kafka.bootstrap, **config) as writer:
        failures = await writer.write([batch_of(*records, **columns)])
    assert [(f.batch, f.record, f.error.code) for f in failures] == [
        (0, 3, "sink.kafka.missing_topic"),
        (0, 4, "sink.kafka.no_partition"),
        (0, 5, "sink.kafka.missing_topic"),
    ]
    assert all(isinstance(f.error, RecordError) for f in failures)
    assert {(r.partition, r.key, r.value) for r in await kafka.consume(one, 2)} == {
        (3, "é".encode(), b"0"),
        (2, None, b"2"),
    }
    assert [(r.key, r.value) for r in await kafka.consume(two, 2)] == [
        (b"5", b"1"),
        (b'{"id":[%d,1.50]}' % 2**70, b"6"),
    ]
    assert "no-such-topic" not in await kafka.topics()


async def test_a_key_that_is_not_utf8_does_not_fail_the_write(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    async with kafka_writer(kafka.bootstrap, topic=topic, key="key") as writer:
        assert not await writer.write([batch_of(record(b"1"), record(b"2"), key=["\ud800", "k"])])
    assert [r.key for r in await kafka.consume(topic, 2)] == [b"\xed\xa0\x80", b"k"]


async def test_timestamp_now_is_the_time_of_writing(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    before_ms = SystemClock().now_ms()
    async with kafka_writer(kafka.bootstrap, topic=topic, timestamp="now") as writer:
        assert not await writer.write([batch_of(record(b"x", ts_ms=5))])
    (arrived,) = await kafka.consume(topic, 1)
    assert before_ms <= arrived.timestamp <= SystemClock().now_ms()


async def test_a_missing_topic_is_named_with_the_one_that_was_meant(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(f"results-{id(kafka)}")
    with pytest.raises(UnavailableError) as caught:
        async with kafka_writer(kafka.bootstrap, topic=topic.replace("results", "reslts")):
            pass
    assert caught.value.code == "sink.kafka.missing_topic"
    assert topic in str(caught.value.hint)
    assert topic.replace("results", "reslts") not in await kafka.topics()


async def test_a_record_over_the_sinks_limit_gets_a_verdict_and_the_others_arrive(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    sent = [record(b"a"), record(b"x" * 20_000), record(b"b"), record(b"y" * 30_000), record(b"c")]
    async with kafka_writer(kafka.bootstrap, topic=topic, max_request_size="10KiB") as writer:
        failures = await writer.write([batch_of(*sent[:2]), batch_of(*sent[2:])])
        assert not await writer.write([batch_of(record(b"d"))])
    assert [(f.batch, f.record, f.error.code) for f in failures] == [
        (0, 1, "sink.kafka.record_too_large"),
        (1, 1, "sink.kafka.record_too_large"),
    ]
    assert "max_request_size" in str(failures[0].error.hint)
    assert [r.value for r in await kafka.consume(topic, 4)] == [b"a", b"b", b"c", b"d"]


async def test_a_topic_that_takes_less_than_the_sink_sends_gets_smaller_batches(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(config={"max.message.bytes": "5000"})
    sent = [record(b"%04d" % n * 100) for n in range(200)]
    sent[77] = record(b"z" * 9000)
    async with kafka_writer(kafka.bootstrap, topic=topic) as writer:
        failures = await writer.write([batch_of(*sent)])
        assert not await writer.write([batch_of(record(b"after"))])
    assert [(f.batch, f.record, f.error.code) for f in failures] == [(0, 77, "sink.kafka.record_too_large")]
    arrived = [r.value for r in await kafka.consume(topic, 200)]
    assert arrived == [r.value for n, r in enumerate(sent) if n != 77] + [b"after"]


async def test_a_record_the_topic_does_not_take_is_told_from_the_others(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic(config={"cleanup.policy": "compact"})
    sent = [record(b"%d" % n, None if n in (5, 40) else b"k%d" % n) for n in range(50)]
    async with kafka_writer(kafka.bootstrap, topic=topic) as writer:
        failures = await writer.write([batch_of(*sent)])
    assert [(f.record, f.error.code) for f in failures] == [
        (5, "sink.kafka.record_refused"),
        (40, "sink.kafka.record_refused"),
    ]
    assert "compact" in str(failures[0].error.hint)
    assert [r.value for r in await kafka.consume(topic, 48)] == [b"%d" % n for n in range(50) if n not in (5, 40)]


async def test_a_write_of_many_megabytes_is_split_and_stays_in_order(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    sent = [b"%06d" % n + b"x" * 10_000 for n in range(500)]
    async with kafka_writer(kafka.bootstrap, topic=topic) as writer:
        assert not await writer.write([batch_of(*(record(value) for value in sent))])
    assert [r.value for r in await kafka.consume(topic, 500)] == sent


async def test_an_empty_write_is_nothing(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    async with kafka_writer(kafka.bootstrap, topic=topic) as writer:
        assert not await writer.write([])
        assert not await writer.write([batch_of(), batch_of()])
        assert not await writer.write([batch_of(), batch_of(record(b"x")), batch_of()])
    assert [r.value for r in await kafka.consume(topic, 1)] == [b"x"]


async def test_partitions_added_while_running_are_used(kafka: KafkaCluster) -> None:
    topic = await kafka.create_topic()
    async with kafka_writer(kafka.bootstrap, topic=topic, partition="p") as writer:
        (failure,) = await writer.write([batch_of(record(b"x"), partition=[1])])
        assert failure.error.code == "sink.kafka.no_partition"
        await kafka.add_partitions(topic, 2)
        writer._router._refresh_at = 0.0  # type: ignore[attr-defined]  # five minutes later
        assert not await writer.write([batch_of(record(b"x"), partition=[1])])
    assert [r.partition for r in await kafka.consume(topic, 1)] == [1]
