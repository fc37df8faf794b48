"""The MongoDB sink: connects, and checks that writing will be possible."""

from __future__ import annotations

from collections.abc import Mapping

from wire.clients.mongodb_client import connect
from wire.core.formats import Format, JsonFormat
from wire.core.ports import Guarantee, TaskId
from wire.core.records import Checkpoint, PartitionId
from wire.sinks.mongodb import MongoSinkConfig
from wire.sinks.mongodb.bulk import CODES
from wire.sinks.mongodb.writer import MongoWriter


class MongoSink:
    """Collections of one database."""

    format: Format = JsonFormat()
    guarantee = Guarantee.AT_LEAST_ONCE
    carries_headers = False

    def __init__(self, config: MongoSinkConfig) -> None:
        """Make a sink; nothing is connected yet."""
        self._config = config

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> MongoWriter:
        """Connect and log in. Raises UnavailableError that names the reason, within seconds."""
        client, _ = await connect(self._config, CODES)
        return MongoWriter(client, self._config)
