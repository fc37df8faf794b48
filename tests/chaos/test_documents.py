"""kill -9 of `wire run` while documents change: in the end the index equals what it follows, deletions included.

`WIRE_CHAOS_KILLS` says how often each route is killed, `WIRE_CHAOS_SEED` repeats a run (as far as timing allows).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from tests.chaos.documents import HOT, SEED, Changes, Watcher, document, going_on, in_snapshot, key, until, whole
from tests.chaos.victim import Victim, growth
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.kafka_client import KafkaCluster
from tests.services.mongodb_client import MongoDB

KILLS = int(os.environ.get("WIRE_CHAOS_KILLS", "5"))
DOCUMENTS = 3_000 * KILLS
RISES = 4 * KILLS  # how often a version has to be seen to rise: some times in each of its lives
PARTITIONS = 3
KEYS = 2_000

pytestmark = [pytest.mark.chaos, pytest.mark.elasticsearch, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def rng() -> random.Random:
    print(f"WIRE_CHAOS_SEED={SEED}")
    return random.Random(SEED)


def pipeline(source: dict[str, Any], elasticsearch: Elasticsearch, index: str) -> dict[str, Any]:
    return {
        "name": "victim",
        "source": source,
        "transforms": [{"drop": ["_id"]}],
        "sink": {"type": "elasticsearch", "config": {"url": elasticsearch.url, "index": index, "id": "meta_key()"}},
        "batch": {"max_records": 50},  # small, so that transactions are cut, and several requests are under way
        "checkpoint": {"interval": "100ms"},
    }


@pytest.mark.mongodb
async def test_mongodb_to_elasticsearch_ends_as_the_collection(
    mongodb: MongoDB, elasticsearch: Elasticsearch, tmp_path: Path, rng: random.Random
) -> None:
    index = await elasticsearch.create_index()
    async with mongodb.database() as database, mongodb.client() as client:
        collection = client[database.name]["docs"]
        await collection.insert_many([document(n, -1) for n in range(DOCUMENTS)])
        where = {"uri": mongodb.uri, "database": database.name, "collection": "docs"}
        source = {"type": "mongodb", "config": where | {"snapshot_chunk": 2000, "snapshot_readers": 4}}
        victim = Victim(tmp_path, pipeline(source, elasticsearch, index))
        changes = Changes(client, collection, DOCUMENTS, random.Random(SEED))
        watcher = Watcher(elasticsearch, index, [key(n) for n in range(HOT)])
        async with going_on(watcher.go_on()):
            async with going_on(changes.go_on()):
                killed_in = await kill_in_snapshot_and_stream(victim, rng)
            await victim.run_to_the_end()
        expected = await whole(collection)
    print(f"kills: {dict(killed_in)}, changes: {dict(changes.made)}, versions rose {watcher.rises} times")
    assert await elasticsearch.documents(index) == expected
    assert victim.kills == KILLS
    assert min(killed_in["snapshot"], killed_in["stream"]) >= KILLS // 4
    assert watcher.rises > RISES


async def kill_in_snapshot_and_stream(victim: Victim, rng: random.Random) -> Counter[str]:
    """Kill it as often as agreed, half of that once the snapshot is done with; return where that happened."""
    state = victim.folder / "state"
    killed_in: Counter[str] = Counter()
    for number in range(KILLS):
        if number == KILLS // 2:
            await end_snapshot(victim, state)
        await victim.run_and_kill(rng, lambda: growth(state))
        killed_in["snapshot" if in_snapshot(state) else "stream"] += 1
    return killed_in


async def end_snapshot(victim: Victim, state: Path) -> None:
    """Let it run until the stream has begun."""
    process = await victim.start()

    async def streams() -> bool:
        return not in_snapshot(state)

    try:
        await until(streams)
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.kafka
async def test_a_compacted_topic_to_elasticsearch_ends_as_the_topic(
    kafka: KafkaCluster, elasticsearch: Elasticsearch, tmp_path: Path, rng: random.Random
) -> None:
    index = await elasticsearch.create_index()
    compacted = {"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01"}
    topic = await kafka.create_topic(partitions=PARTITIONS, config=compacted)
    source = {"type": "kafka", "config": {"bootstrap_servers": [kafka.bootstrap], "topic": topic}}
    victim = Victim(tmp_path, pipeline(source, elasticsearch, index))
    watcher = Watcher(elasticsearch, index, [f"k{n}" for n in range(HOT)])
    states = States(random.Random(SEED))
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", linger_ms=5) as producer:
        await states.produce(producer, topic, DOCUMENTS)
        async with going_on(watcher.go_on()):
            async with going_on(states.go_on(producer, topic)):
                for _ in range(KILLS):
                    await victim.run_and_kill(rng, lambda: growth(tmp_path / "state"))
            await producer.flush()
            await victim.run_to_the_end()
    latest = {record.key.decode(): record.value for record in await kafka.consume(topic)}
    expected = {key: json.loads(value) for key, value in latest.items() if value is not None}
    print(f"{states.made} records for {len(latest)} keys, versions rose {watcher.rises} times")
    assert await elasticsearch.documents(index) == expected
    assert len(expected) < len(latest), "there must be deletions among the last states"
    assert victim.kills == KILLS
    assert watcher.rises > RISES


class States:
    """Writes states of keys to a topic: values and tombstones, for some keys again and again."""

    def __init__(self, rng: random.Random) -> None:
        self.made = 0
        self._rng = rng

    async def go_on(self, producer: AIOKafkaProducer, topic: str) -> None:
        """Write until cancelled."""
        while True:
            await self.produce(producer, topic, 20)
            await asyncio.sleep(0.02)

    async def produce(self, producer: AIOKafkaProducer, topic: str, count: int) -> None:
        """Write so many and return once they are durable."""
        sent = []
        for _ in range(count):
            n = self._rng.randrange(HOT) if self._rng.random() < 0.3 else self._rng.randrange(KEYS)
            value = None if self._rng.random() < 0.2 else b'{"n":%d,"change":%d}' % (n, self.made)
            sent.append(await producer.send(topic, value, b"k%d" % n))
            self.made += 1
        await asyncio.gather(*sent)
