"""kill -9 of worker processes at random moments, with two tasks of one pipeline on two of them: nothing is missing.

`WIRE_CHAOS_KILLS` says how often, `WIRE_CHAOS_SEED` repeats a run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.workers_kit import SETTINGS, Cluster, kill
from tests.services.kafka_client import KafkaCluster
from tests.waiting import until
from wire.cluster.state import TaskKey
from wire.core.units import Duration

KILLS = int(os.environ.get("WIRE_CHAOS_KILLS", "4"))
SEED = int(os.environ.get("WIRE_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
RECORDS = 30_000 * KILLS
PARTITIONS = 3
IDLE_S = 20.0
DEADLINE_S = 600.0

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.timeout(900)]

TWO = msgspec.structs.replace(SETTINGS, count=2, restart_after_at_most=Duration(500))


@pytest.fixture
def rng() -> random.Random:
    print(f"WIRE_CHAOS_SEED={SEED}")
    return random.Random(SEED)


def pipeline(kafka: KafkaCluster, topic: str, sink: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "victim",
        "source": {"type": "kafka", "config": {"bootstrap_servers": [kafka.bootstrap], "topic": topic}},
        "transforms": [{"filter": "n % 2 = 0"}],
        "sink": sink,
        "batch": {"max_records": 50},  # small, so that there is still work when the last kill comes
        "checkpoint": {"interval": "100ms"},
    }


async def fill(kafka: KafkaCluster) -> str:
    topic = await kafka.create_topic(partitions=PARTITIONS)
    values = [b'{"n":%d}' % n for n in range(RECORDS)]
    await asyncio.gather(*(kafka.produce(topic, values[p::PARTITIONS], partition=p) for p in range(PARTITIONS)))
    return topic


def seen(values: Iterable[bytes]) -> Counter[int]:
    """Check that every even number is there; return how often each is."""
    counts = Counter(json.loads(value)["n"] for value in values)
    assert sorted(counts) == list(range(0, RECORDS, 2))
    return counts


async def run_and_kill(cluster: Cluster, spec: dict[str, Any], rng: random.Random) -> None:
    """Run two tasks of a pipeline to the end of its topic, while their workers are killed."""
    async with cluster.running(DEADLINE_S):
        cluster.discover(spec)
        await until(lambda: bool(cluster.found))
        (partitions,) = cluster.found
        names = [key.partition for key in partitions]
        tasks = [cluster.begin(spec, *names[:2]).task, cluster.begin(spec, *names[2:], slot=1).task]
        for _ in range(KILLS):
            commits, losses = cluster.commits, cluster.losses
            await until(lambda: cluster.commits > commits or at_the_end(cluster, tasks), IDLE_S)  # noqa: B023
            await asyncio.sleep(rng.uniform(0, 0.3))
            kill(rng.choice(await cluster.pids()))
            await until(lambda: cluster.losses > losses, IDLE_S)  # noqa: B023
        await until(lambda: at_the_end(cluster, tasks), DEADLINE_S)
        await cluster.supervisor.drain(30)
    assert not cluster.failed, cluster.failed
    assert cluster.losses >= KILLS


def at_the_end(cluster: Cluster, tasks: list[TaskKey]) -> bool:
    now = {run.task: progress for run, progress in cluster.supervisor.progress().items()}
    return all(
        task in now and now[task].state == "running" and now[task].sources[0].lag_records == 0 and not now[task].pending
        for task in tasks
    )


async def test_kafka_to_kafka_has_every_record(kafka: KafkaCluster, rng: random.Random) -> None:
    topic, out = await fill(kafka), await kafka.create_topic(partitions=PARTITIONS)
    sink = {"type": "kafka", "config": {"bootstrap_servers": [kafka.bootstrap], "topic": out}}
    await run_and_kill(Cluster(TWO), pipeline(kafka, topic, sink), rng)
    seen(record.value for record in await kafka.consume(out))


async def test_kafka_to_files_has_every_record_once(kafka: KafkaCluster, tmp_path: Path, rng: random.Random) -> None:
    topic = await fill(kafka)
    sink = {"type": "file", "config": {"path": str(tmp_path / "out.jsonl")}}
    await run_and_kill(Cluster(TWO), pipeline(kafka, topic, sink), rng)
    files = [tmp_path / "out.jsonl", tmp_path / "out-s1.jsonl"]
    counts = seen(line for file in files for line in file.read_bytes().splitlines())
    assert max(counts.values()) == 1
