"""What nodes use for themselves while twenty pipelines of four partitions each have nothing to do."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.cluster.contender import becomes
from benchmarks.cluster.nodes import Nodes
from benchmarks.progress import say
from tests.services.kafka_client import KafkaCluster

PIPELINES: Final = 20
PARTITIONS: Final = 4
_SETTLE_S: Final = 10.0
_POLL_S: Final = 1.0


class Idling(msgspec.Struct):
    """Tasks by node; cores and the greatest resident bytes of each node's own process, without its workers."""

    seconds: float
    tasks: dict[str, int]
    cores: list[float]
    peak_rss: list[int]


async def measure(folder: Path, kafka: KafkaCluster, seconds: float) -> Idling:
    """Start a cluster, give it pipelines from empty topics, and watch it."""
    place = folder / "idling"
    place.mkdir()
    nodes = Nodes(place)
    async with nodes.start():
        await becomes(nodes.formed, "a cluster")
        names = [await _create(nodes, kafka, number) for number in range(PIPELINES)]

        async def tasks_of_all() -> list[dict[str, Any]]:
            return [task for name in names for task in await nodes.tasks(name)]

        async def all_run() -> bool:
            tasks = await tasks_of_all()
            return len(tasks) == PIPELINES * PARTITIONS and all(task["state"] == "running" for task in tasks)

        await becomes(all_run, "tasks for all partitions")
        await asyncio.sleep(_SETTLE_S)
        peak = nodes.node_rss()
        used, began = nodes.node_cpu_s(), time.monotonic()
        while time.monotonic() - began < seconds:
            await asyncio.sleep(_POLL_S)
            peak = [max(pair) for pair in zip(peak, nodes.node_rss(), strict=True)]
        took = time.monotonic() - began
        cores = [(after - before) / took for before, after in zip(used, nodes.node_cpu_s(), strict=True)]
        placed = Counter(task["node"] for task in await tasks_of_all())
    say(f"idling: {dict(placed)}, cores {', '.join(f'{share:.3f}' for share in cores)}")
    return Idling(took, dict(placed), cores, peak)


async def _create(nodes: Nodes, kafka: KafkaCluster, number: int) -> str:
    topic = await kafka.create_topic(partitions=PARTITIONS)
    config = {"bootstrap_servers": [kafka.bootstrap], "topic": topic, "group": topic}
    name = f"idle-{number}"
    spec = {
        "name": name,
        "source": {"type": "kafka", "config": config},
        "sink": {"type": "drop"},
        "parallelism": PARTITIONS,
    }
    await nodes.apply(spec)
    return name
