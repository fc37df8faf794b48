"""A broker that dies, freezes or goes away in the middle: nothing is lost, nothing overtakes, nobody hangs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.integration.kafka_kit import LIMIT, batch_of, kafka_source, kafka_writer, record
from tests.services.kafka import KafkaServer
from wire.clients import kafka_cluster
from wire.core.errors import RetryableError
from wire.core.ports import Reader, Writer
from wire.core.records import Batch
from wire.sinks.kafka import producer

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

KEYS = 5
LAST = 1 << 30


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up in seconds, so that what happens afterwards is seen sooner."""
    monkeypatch.setattr(kafka_cluster, "REQUEST_TIMEOUT_MS", 1500)
    monkeypatch.setattr(producer, "DELIVERY_TIMEOUT_S", 3.0)


async def write_patiently(writer: Writer, numbers: range, failed: asyncio.Event | None = None) -> int:
    """Write a record per number, and again when told to, which sets `failed`; return how often that was."""
    batch = batch_of(*(record(b"%d" % n, b"key%d" % (n % KEYS)) for n in numbers))
    repetitions = 0
    async with asyncio.timeout(120):
        while (batch := await write_once(writer, batch)).records:
            repetitions += 1
            if failed is not None:
                failed.set()
    return repetitions


async def write_once(writer: Writer, batch: Batch) -> Batch:
    """Write a batch; return what has to be written again."""
    try:
        failures = await writer.write([batch])
    except RetryableError:
        return batch
    assert all(isinstance(failure.error, RetryableError) for failure in failures)
    return batch.take([failure.record for failure in failures])


async def assert_complete_and_in_order(kafka: KafkaServer, topic: str, count: int) -> None:
    """Every number arrived, and a key's first appearances and last appearances are both in order: none overtook."""
    arrived = [(r.key, int(r.value)) for r in await kafka.consume(topic, isolation_level="read_committed")]
    assert {number for _, number in arrived} == set(range(count))
    for key in range(KEYS):
        numbers = [number for k, number in arrived if k == b"key%d" % key]
        assert list(dict.fromkeys(numbers)) == sorted(set(numbers))
        assert list(dict.fromkeys(reversed(numbers))) == sorted(set(numbers), reverse=True)


class Trouble:
    """What happens to the broker: it begins when there is something to disturb, and is over when it has been."""

    def __init__(self) -> None:
        self.due = asyncio.Event()
        self.noticed = asyncio.Event()
        self.over = asyncio.Event()


@contextlib.asynccontextmanager
async def trouble(kafka: KafkaServer, kind: str) -> AsyncIterator[Trouble]:
    """Something happens to the broker while the block runs, once the block says that it is due."""
    its = Trouble()

    async def befall() -> None:
        await its.due.wait()
        match kind:
            case "kill":
                kafka.kill()
                await kafka.start()
            case "restart":
                await kafka.restart()
            case "freeze briefly":
                kafka.pause()
                await asyncio.sleep(1.0)  # its length is the fault: too short for any timeout, so nobody can notice it
                kafka.resume()
            case "freeze until somebody complains":
                kafka.pause()
                await its.noticed.wait()
                kafka.resume()
        its.over.set()

    async with asyncio.timeout(240), asyncio.TaskGroup() as group:
        group.create_task(befall())
        yield its


TROUBLES = ["kill", "restart", "freeze briefly", "freeze until somebody complains"]


@pytest.mark.parametrize("kind", TROUBLES)
async def test_writing_goes_on_complete_and_in_order(own_kafka: KafkaServer, kind: str) -> None:
    topic = await own_kafka.create_topic(partitions=2)
    async with kafka_writer(own_kafka.bootstrap, topic=topic) as writer, trouble(own_kafka, kind) as its:
        written = await write_through(writer, its, 100, its.noticed)
    await assert_complete_and_in_order(own_kafka, topic, written)


async def write_through(writer: Writer, its: Trouble, at_once: int, failed: asyncio.Event | None = None) -> int:
    """Write before, during and after the trouble; return how many numbers were written."""
    written, at_least = 0, 20 * at_once
    while written < at_least:
        await write_patiently(writer, range(written, written + at_once), failed)
        written += at_once
        if written == 10 * at_once:
            its.due.set()
        if not its.over.is_set():
            at_least = written + 10 * at_once
    return written


@pytest.mark.parametrize("kind", TROUBLES)
async def test_reading_goes_on_without_a_gap_or_a_repetition(own_kafka: KafkaServer, kind: str) -> None:
    topic = await own_kafka.create_topic()
    async with kafka_source(own_kafka.bootstrap, topic=topic) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        async with (
            kafka_writer(own_kafka.bootstrap, topic=topic) as writer,
            trouble(own_kafka, kind) as its,
            asyncio.TaskGroup() as group,
        ):
            reading = group.create_task(read_patiently(reader, its.noticed))
            written = await write_through(writer, its, 10)
            await write_patiently(writer, range(LAST, LAST + 1))
    assert list(dict.fromkeys(reading.result())) == [*range(written), LAST]


async def read_patiently(reader: Reader, failed: asyncio.Event) -> list[int]:
    """Read until the last number, and again when told to, which sets `failed`; offsets must never go back."""
    numbers: list[int] = []
    last = -1
    async with asyncio.timeout(240):
        while LAST not in numbers[-1:]:
            try:
                batch = await reader.read(LIMIT)
            except RetryableError:
                failed.set()
                continue
            assert batch is not None
            for each in batch.records:
                assert each.offset > last
                last = each.offset
            numbers += [int(r.value or b"") for r in batch.records]
    return numbers


async def test_a_reader_says_that_the_broker_is_away_and_goes_on_when_it_is_back(own_kafka: KafkaServer) -> None:
    topic = await own_kafka.create_topic()
    async with kafka_source(own_kafka.bootstrap, topic=topic) as source:
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        own_kafka.kill()
        with pytest.raises(RetryableError) as caught:
            async with asyncio.timeout(10):
                await reader.read(LIMIT)
        assert caught.value.code == "source.kafka.unreachable"
        assert own_kafka.bootstrap in caught.value.message
        with pytest.raises(RetryableError):
            await source.partitions()
        await own_kafka.start()
        await own_kafka.produce(topic, [b"back"])
        assert await read_patiently_values(reader) == [b"back"]


async def read_patiently_values(reader: Reader) -> list[bytes | None]:
    async with asyncio.timeout(30):
        while True:
            try:
                batch = await reader.read(LIMIT)
            except RetryableError:
                continue
            assert batch is not None
            return [r.value for r in batch.records]


async def test_a_writer_says_that_the_broker_is_away_in_bounded_time(own_kafka: KafkaServer) -> None:
    topic = await own_kafka.create_topic()
    async with kafka_writer(own_kafka.bootstrap, topic=topic) as writer:
        assert not await writer.write([batch_of(record(b"before"))])
        own_kafka.kill()
        async with asyncio.timeout(15):
            failures = await writer.write([batch_of(record(b"during"))])
        assert [f.error.code for f in failures] == ["sink.kafka.unreachable"]
        assert isinstance(failures[0].error, RetryableError)
        await own_kafka.start()
        assert await write_patiently(writer, range(1)) == 0
    arrived = [r.value for r in await own_kafka.consume(topic, 2)]
    assert arrived[0] == b"before"
    assert arrived[-1] == b"0"


async def test_closing_does_not_wait_for_a_broker_that_is_frozen(own_kafka: KafkaServer) -> None:
    topic = await own_kafka.create_topic()
    async with (
        kafka_source(own_kafka.bootstrap, topic=topic, group="g") as source,
        kafka_writer(own_kafka.bootstrap, topic=topic) as writer,
    ):
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        await writer.write([batch_of(record(b"x"))])
        batch = await reader.read(LIMIT)
        assert batch is not None
        own_kafka.pause()
        await reader.release(batch.position)
        async with asyncio.timeout(10):
            await reader.close()
            await source.close()
            await writer.close()
        own_kafka.resume()


async def test_a_cancelled_write_neither_overtakes_the_next_nor_is_taken_for_it(own_kafka: KafkaServer) -> None:
    topic = await own_kafka.create_topic()
    async with kafka_writer(own_kafka.bootstrap, topic=topic) as writer:
        for turn in range(200):
            cancelled = batch_of(*(record(b"%d" % (2 * turn), b"key%d" % n) for n in range(KEYS)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.0002 * (turn % 12)):
                    await writer.write([cancelled])
            # of the same size: a broker that knows the sequence numbers already would drop it as a repetition
            assert not await writer.write(
                [batch_of(*(record(b"%d" % (2 * turn + 1), b"key%d" % n) for n in range(KEYS)))]
            )
    arrived = [(r.key, int(r.value)) for r in await own_kafka.consume(topic)]
    for key in range(KEYS):
        numbers = [number for k, number in arrived if k == b"key%d" % key]
        assert numbers == sorted(numbers)
        assert [number for number in numbers if number % 2] == list(range(1, 400, 2))


async def test_a_topic_deleted_under_a_writer_is_said_to_be_missing(own_kafka: KafkaServer) -> None:
    topic = await own_kafka.create_topic()
    async with kafka_writer(own_kafka.bootstrap, topic=topic) as writer:
        assert not await writer.write([batch_of(record(b"x"))])
        await own_kafka.delete_topic(topic)
        failures = await writer.write([batch_of(record(b"y"))])
        assert [f.error.code for f in failures] == ["sink.kafka.missing_topic"]
        assert topic not in await own_kafka.topics()
        await own_kafka.create_topic(topic)
        assert await write_patiently(writer, range(1)) == 0
