"""One task's way into the cluster."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence

from wire.clients.kafka_cluster import KafkaCluster
from wire.core.clock import Clock
from wire.core.errors import WireError
from wire.core.ports import Failure
from wire.core.records import Batch
from wire.sinks.kafka import KafkaSinkConfig
from wire.sinks.kafka.lane import Encoding
from wire.sinks.kafka.producer import Producer
from wire.sinks.kafka.routing import Router

_CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


class KafkaWriter:
    """Writes to the topics of one cluster, one write at a time: what is written next waits for what went before."""

    max_in_flight = 1

    def __init__(self, cluster: KafkaCluster, producer: Producer, config: KafkaSinkConfig, clock: Clock) -> None:
        """Write through `producer`, which is started."""
        self._cluster = cluster
        self._producer = producer
        self._router = Router(cluster, config, clock)
        self._clock = clock
        self._codec = _CODECS[config.compression]
        self._stamps = config.timestamp == "now"

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        """Return once all in-sync replicas have every record that has no failure in the answer.

        Waits for brokers that are away for half a minute before it gives up. Records with one target partition are
        written in order; a write that is repeated may write records twice, never out of order.
        """
        lanes, misfits = await self._router.lanes(batches)
        encoding = Encoding(self._codec, self._clock.now_ms() if self._stamps else None)
        await self._producer.deliver(lanes, encoding)
        verdicts: list[tuple[int, WireError]] = list(misfits)
        for lane in lanes:
            verdicts += lane.failures
            if lane.problem is not None:
                verdicts += [(place, lane.problem) for place in lane.places[lane.at :]]
        return _failures(verdicts, batches) if verdicts else ()

    async def close(self) -> None:
        """Disconnect. Idempotent."""
        await self._cluster.close()


def _failures(verdicts: list[tuple[int, WireError]], batches: Sequence[Batch]) -> list[Failure]:
    """Turn places in the write into indices of batches and records."""
    starts = list(itertools.accumulate((len(batch.records) for batch in batches), initial=0))[:-1]
    found = []
    for place, error in sorted(verdicts, key=lambda verdict: verdict[0]):
        batch = bisect_right(starts, place) - 1
        found.append(Failure(batch, place - starts[batch], error))
    return found
