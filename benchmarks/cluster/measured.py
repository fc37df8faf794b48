"""All that is measured of clusters, in turn."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from benchmarks.cluster import creation, crowding, deciding, formation, idling, restoring, takeover
from benchmarks.cluster.connect import Connect, install
from benchmarks.cluster.contender import CONNECT, WIRE
from benchmarks.cluster.nodes import Nodes
from benchmarks.cluster.turns import Fresh, Took
from benchmarks.progress import say
from tests.services.kafka_client import KafkaCluster
from tests.services.missing import ServiceMissing


class Size(msgspec.Struct, frozen=True):
    """How much is done. Kafka Connect creates fewer pipelines: each makes it rebalance."""

    rounds: int
    created: int
    connected: int
    idle_s: float
    crowded_s: float
    restored: int


FULL: Final = Size(5, 500, 100, 30, 60, 1000)
QUICK: Final = Size(1, 100, 20, 10, 20, 200)

Measured: TypeAlias = (
    Took | creation.Creation | idling.Idling | crowding.Crowding | deciding.Deciding | restoring.Restoring
)


async def measure(kafka: KafkaCluster, folder: Path, size: Size) -> AsyncIterator[tuple[str, Measured]]:
    """Yield each result with its name as soon as it is there. Raises RunError."""
    contenders = _contenders(kafka)
    created = {WIRE: size.created, CONNECT: size.connected}
    yield "cluster_formation", await formation.measure(folder, contenders, size.rounds)
    yield "cluster_creation", await creation.measure(folder, contenders, created)
    yield "cluster_takeover", await takeover.measure(folder, contenders, size.rounds)
    yield "cluster_succession", await takeover.measure_leader(folder, size.rounds)
    yield "cluster_idling", await idling.measure(folder, kafka, size.idle_s)
    yield "cluster_crowding", await crowding.measure(folder, size.crowded_s)
    yield "cluster_restoring", await restoring.measure(folder, size.restored)
    yield "cluster_deciding", await deciding.measure(folder, size.rounds)


def _contenders(kafka: KafkaCluster) -> dict[str, Fresh]:
    """Return how a cluster of each is made that begins with nothing: Kafka Connect's where it can be had."""
    made: dict[str, Fresh] = {WIRE: Nodes}
    try:
        install()
    except ServiceMissing as missing:
        say(f"KAFKA CONNECT IS LEFT OUT: {missing}")
        return made
    groups = itertools.count()
    made[CONNECT] = lambda folder: Connect(folder, kafka.bootstrap, f"connect-{next(groups)}")
    return made
