"""kill -9 of `wire run` at random moments: the destination ends up with every record, and a file with none twice.

`WIRE_CHAOS_KILLS` says how often each route is killed, `WIRE_CHAOS_SEED` repeats a run.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.victim import Victim, growth
from tests.services.kafka_client import KafkaCluster

KILLS = int(os.environ.get("WIRE_CHAOS_KILLS", "4"))
SEED = int(os.environ.get("WIRE_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
RECORDS = 30_000 * KILLS
PARTITIONS = 3

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


@pytest.fixture
def rng() -> random.Random:
    print(f"WIRE_CHAOS_SEED={SEED}")
    return random.Random(SEED)


def numbered(count: int) -> Iterable[bytes]:
    return (b'{"n":%d,"kind":"%s"}' % (n, b"even" if n % 2 == 0 else b"odd") for n in range(count))


def pipeline(source: dict[str, Any], sink: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "victim",
        "source": source,
        "transforms": [{"filter": "kind = 'even'"}, {"select": "n, n * 2 AS twice"}],
        "sink": sink,
        "batch": {"max_records": 50},  # small, so that there is still work when the last kill comes
        "checkpoint": {"interval": "100ms"},
    }


def kafka_source(kafka: KafkaCluster, topic: str) -> dict[str, Any]:
    return {"type": "kafka", "config": {"bootstrap_servers": [kafka.bootstrap], "topic": topic}}


def kafka_sink(kafka: KafkaCluster, topic: str) -> dict[str, Any]:
    return {"type": "kafka", "config": {"bootstrap_servers": [kafka.bootstrap], "topic": topic}}


async def fill(kafka: KafkaCluster) -> str:
    topic = await kafka.create_topic(partitions=PARTITIONS)
    values = list(numbered(RECORDS))
    await asyncio.gather(*(kafka.produce(topic, values[p::PARTITIONS], partition=p) for p in range(PARTITIONS)))
    return topic


def fill_file(path: Path) -> None:
    path.write_bytes(b"\n".join(numbered(RECORDS)) + b"\n")


def assert_complete(values: Iterable[bytes]) -> Counter[int]:
    """Check that every even number is there, doubled; return how often each is."""
    rows = [json.loads(value) for value in values]
    assert all(row["twice"] == row["n"] * 2 for row in rows)
    seen = Counter(row["n"] for row in rows)
    assert sorted(seen) == list(range(0, RECORDS, 2))
    return seen


def lines_of(folder: Path) -> list[bytes]:
    """Return what is in files under their final names.

    A kill between the first commit and its checkpoint leaves parts that no later run may take for its own.
    """
    found: list[bytes] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".part":
            data = path.read_bytes()
            found += (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()
    return found


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("out/all.jsonl", {}),
        ("out/part.jsonl.gz", {"compression": "gzip", "rotate": {"max_records": 10_000}}),
    ],
)
async def test_kafka_to_file_has_every_record_once(
    kafka: KafkaCluster, tmp_path: Path, rng: random.Random, name: str, options: dict[str, Any]
) -> None:
    topic = await fill(kafka)
    sink = {"type": "file", "config": {"path": name, **options}}
    victim = Victim(tmp_path, pipeline(kafka_source(kafka, topic), sink))
    for _ in range(KILLS):
        await victim.run_and_kill(rng, lambda: growth(tmp_path / "out"))
    await victim.run_to_the_end()
    seen = assert_complete(lines_of(tmp_path / "out"))
    assert max(seen.values()) == 1
    assert victim.kills == KILLS


@pytest.mark.kafka
async def test_file_to_kafka_has_every_record(kafka: KafkaCluster, tmp_path: Path, rng: random.Random) -> None:
    fill_file(tmp_path / "in.jsonl")
    topic = await kafka.create_topic(partitions=PARTITIONS)
    source = {"type": "file", "config": {"path": "in.jsonl", "follow": True}}
    victim = Victim(tmp_path, pipeline(source, kafka_sink(kafka, topic)))
    for _ in range(KILLS):
        await victim.run_and_kill(rng, lambda: growth(tmp_path / "state"))
    await victim.run_to_the_end()
    assert_complete(record.value for record in await kafka.consume(topic))


@pytest.mark.kafka
async def test_kafka_to_kafka_has_every_record(kafka: KafkaCluster, tmp_path: Path, rng: random.Random) -> None:
    topic, out = await fill(kafka), await kafka.create_topic(partitions=PARTITIONS)
    victim = Victim(tmp_path, pipeline(kafka_source(kafka, topic), kafka_sink(kafka, out)))
    for _ in range(KILLS):
        await victim.run_and_kill(rng, lambda: growth(tmp_path / "state"))
    await victim.run_to_the_end()
    assert_complete(record.value for record in await kafka.consume(out))
    assert victim.kills == KILLS


@pytest.mark.kafka
async def test_kafka_to_kafka_has_every_record_exactly_once(
    kafka: KafkaCluster, tmp_path: Path, rng: random.Random
) -> None:
    """Half of the records go to another topic as well, in the same transactions."""
    topic, out, beside = await fill(kafka), *[await kafka.create_topic(partitions=PARTITIONS) for _ in range(2)]
    spec = pipeline(kafka_source(kafka, topic), kafka_sink(kafka, out))
    sink = spec.pop("sink")
    spec["sinks"] = [sink | {"name": "all"}, kafka_sink(kafka, beside) | {"name": "some", "when": "n % 4 = 0"}]
    victim = Victim(tmp_path, spec | {"delivery": "exactly_once"})
    for _ in range(KILLS):
        await victim.run_and_kill(rng, lambda: growth(tmp_path / "state"))
    await victim.run_to_the_end()
    committed = {"isolation_level": "read_committed"}
    seen = assert_complete(record.value for record in await kafka.consume(out, **committed))
    assert max(seen.values()) == 1
    some = Counter(json.loads(record.value)["n"] for record in await kafka.consume(beside, **committed))
    assert some == Counter(range(0, RECORDS, 4))
    ends = await kafka.end_offsets(out)
    assert await kafka.end_offsets(out, **committed) == ends, "a transaction was left open"
    assert victim.kills == KILLS


async def test_file_to_file_has_every_record_once(tmp_path: Path, rng: random.Random) -> None:
    fill_file(tmp_path / "in.jsonl")
    source = {"type": "file", "config": {"path": "in.jsonl", "follow": True}}
    victim = Victim(tmp_path, pipeline(source, {"type": "file", "config": {"path": "out/all.jsonl"}}))
    for _ in range(KILLS):
        await victim.run_and_kill(rng, lambda: growth(tmp_path / "out"))
    await victim.run_to_the_end()
    seen = assert_complete(lines_of(tmp_path / "out"))
    assert max(seen.values()) == 1
