"""Exactly once: the records of a task and how far it is, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from wire.clients.kafka_cluster import KafkaCluster, connect
from wire.clients.kafka_errors import SINK
from wire.core.clock import Clock
from wire.core.errors import WireError
from wire.core.plugins import ComponentContext
from wire.core.ports import Guarantee, TaskId
from wire.core.records import Checkpoint, PartitionId, PartitionKey
from wire.sinks.kafka import KafkaSinkConfig
from wire.sinks.kafka.positions import Positions, Row, Start, hashed
from wire.sinks.kafka.producer import Producer
from wire.sinks.kafka.starts import Started
from wire.sinks.kafka.transaction import TRANSACTION_TIMEOUT_S
from wire.sinks.kafka.writer import KafkaWriter

log = structlog.get_logger()

_FAREWELL_S: Final = 2.0


class KafkaTransactions:
    """The transactions of one task on one cluster, and the topic that says how far it is."""

    def __init__(self, config: KafkaSinkConfig, clock: Clock) -> None:
        """Be of the cluster that a sink names, and as it says; nothing is connected yet."""
        self.interval_s = config.transactions.interval.s
        self.max_bytes = config.transactions.max_bytes.bytes
        self._config = config
        self._clock = clock
        self._cluster: KafkaCluster | None = None
        self._started: Started | None = None

    @property
    def started(self) -> Started:
        """The start that sinks write for. Only after `recover`."""
        if self._started is None:
            raise asyncio.InvalidStateError("nothing was recovered yet")
        return self._started

    async def recover(
        self, task: TaskId, epoch: int, stored: Mapping[PartitionKey, Checkpoint]
    ) -> Mapping[PartitionKey, Checkpoint]:
        """Fence all earlier starts of this work, and return how far they have come."""
        await self._disconnect()
        self._cluster = await connect(self._config, SINK)
        positions = Positions(self._cluster, self._config.transactions.topic, task.lineage)
        await positions.require()
        id_ = f"wire/{task.lineage.name}/{task.slot}/{epoch}"
        start = Start(epoch, id_, None if task.share is None else hashed(task.share))
        self._started = Started(self._cluster, positions, start, self._clock)
        return _newest(await self._started.begin(), stored, task)

    async def commit(self, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        """Commit the transaction with these in it."""
        await self.started.commit(checkpoints)

    async def close(self) -> None:
        """Take back what is open, say that this start has ended, and disconnect. Idempotent."""
        try:
            if self._started is not None:
                async with asyncio.timeout(_FAREWELL_S):
                    await self._started.end()
        except (WireError, TimeoutError) as exc:
            note = f"what is open ends within {TRANSACTION_TIMEOUT_S} s, or with the next start"
            log.info("transaction_left", error=str(exc), note=note)
        finally:
            await self._disconnect()

    async def _disconnect(self) -> None:
        cluster, self._cluster, self._started = self._cluster, None, None
        if cluster is not None:
            await cluster.close()


def _newest(
    rows: Mapping[PartitionKey, Row], stored: Mapping[PartitionKey, Checkpoint], task: TaskId
) -> dict[PartitionKey, Checkpoint]:
    """Return for each partition of the task the checkpoint that is furthest.

    What was committed before a reset is of no account, nor what an earlier pipeline of the name has, unless this one
    goes on from where that had come to.
    """
    newest, share = dict(stored), None if task.share is None else set(task.share)
    for key, row in rows.items():
        found, known = row.checkpoint, stored.get(key)
        if known is not None:
            if (found.generation, found.seq) > (known.generation, known.seq):
                newest[key] = found
            continue
        mine = row.born == task.lineage.born and (share is None or key in share)
        if mine and found.generation >= task.generation:
            newest[key] = found
    return newest


class ExactlyOnceKafkaSink:
    """Topics of one cluster, written in transactions that other sinks may write in, too."""

    guarantee = Guarantee.EXACTLY_ONCE
    carries_headers = True

    def __init__(self, config: KafkaSinkConfig, context: ComponentContext, transactions: KafkaTransactions) -> None:
        """Write within `transactions`."""
        self.format = config.format
        self.transactions = transactions
        self._config = config
        self._context = context

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> KafkaWriter:
        """See that the topic is there. Errors as those of `KafkaSink`."""
        started = self.transactions.started
        if isinstance(self._config.topic, str):
            await started.cluster.require([self._config.topic])
        producer = Producer(started.cluster, started.session, self._config.max_request_size.bytes)
        return _Writer(started.cluster, producer, self._config, self._context.clock)


class _Writer(KafkaWriter):
    async def close(self) -> None:
        """Leave the connection to the transactions."""
