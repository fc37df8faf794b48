"""The Kafka sink: connects, and checks that writing will be possible."""

from __future__ import annotations

from collections.abc import Mapping

from wire.clients.kafka_cluster import connect
from wire.clients.kafka_errors import SINK
from wire.core.plugins import ComponentContext
from wire.core.ports import Guarantee, TaskId
from wire.core.records import Checkpoint, PartitionId
from wire.sinks.kafka import KafkaSinkConfig
from wire.sinks.kafka.producer import Producer
from wire.sinks.kafka.session import Session
from wire.sinks.kafka.writer import KafkaWriter


class KafkaSink:
    """Topics of one cluster."""

    guarantee = Guarantee.AT_LEAST_ONCE
    carries_headers = True

    def __init__(self, config: KafkaSinkConfig, context: ComponentContext) -> None:
        """Make a sink; nothing is connected yet."""
        self.format = config.format
        self._config = config
        self._context = context

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> KafkaWriter:
        """Connect, and see that the topic is there and the user may write idempotently.

        Raises UnavailableError within seconds: unreachable brokers, a refused log-in, a missing topic.
        """
        cluster = await connect(self._config, SINK)
        try:
            if isinstance(self._config.topic, str):
                await cluster.require([self._config.topic])
            session = Session(cluster)
            await session.start()
        except BaseException:
            await cluster.close()
            raise
        producer = Producer(cluster, session, self._config.max_request_size.bytes)
        return KafkaWriter(cluster, producer, self._config, self._context.clock)
