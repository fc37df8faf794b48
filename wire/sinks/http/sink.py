"""The HTTP sink: checks that somebody listens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wire.clients.http_client import Codes, HttpClient, reach
from wire.core.plugins import ComponentContext
from wire.core.ports import Guarantee, TaskId
from wire.core.records import Checkpoint, PartitionId
from wire.sinks.http import HttpSinkConfig
from wire.sinks.http.writer import HttpWriter

_CODES: Final = Codes(
    invalid_request="sink.http.invalid_request", tls="sink.http.tls", unreachable="sink.http.unreachable"
)
_MAX_ANSWER: Final = 64 << 10  # only its beginning is of interest, and only to people


class HttpSink:
    """A service that takes records by HTTP."""

    guarantee = Guarantee.AT_LEAST_ONCE
    carries_headers = False

    def __init__(self, config: HttpSinkConfig, context: ComponentContext) -> None:
        """Make a sink; nothing is connected yet."""
        self.format = config.format
        self._config = config
        self._context = context

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> HttpWriter:
        """See that somebody listens where the URL points to; nothing is sent yet. Raises UnavailableError."""
        config = self._config
        if isinstance(config.url, str):
            await reach(config.url, config, _CODES)
        client = HttpClient(config, _CODES, connections=config.concurrency, max_answer=_MAX_ANSWER)
        # a reset begins anew: its records are no repetition of those before
        sender = (task.pipeline, str(task.generation), self._context.name)
        return HttpWriter(client, config, sender, self._context.clock)
