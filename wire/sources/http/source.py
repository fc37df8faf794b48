"""The HTTP source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from wire.clients.http import place_of
from wire.clients.http_client import Codes, HttpClient, reach
from wire.core.formats import Format
from wire.core.plugins import ComponentContext
from wire.core.records import Fingerprint, PartitionId, Position
from wire.sources.http import HttpSourceConfig
from wire.sources.http.position import HttpPosition
from wire.sources.http.reader import HttpReader

_CODES: Final = Codes(
    invalid_request="source.http.invalid_request", tls="source.http.tls", unreachable="source.http.unreachable"
)


class HttpSource:
    """One list of records, read in order."""

    max_readers: int | None = None

    def __init__(self, config: HttpSourceConfig, context: ComponentContext) -> None:
        """Make a source; nothing is connected yet."""
        self.format: Format = config.format
        self._config = config
        self._context = context
        self._client = HttpClient(config, _CODES, connections=1, max_answer=config.max_page.bytes)
        self._reached = False

    def fingerprint(self) -> Fingerprint:  # noqa: D102 (contract in Source)
        identity = msgspec.json.encode([self._config.url, self._config.records, self._config.paging])
        return Fingerprint(hashlib.blake2b(identity, digest_size=16).digest())

    async def partitions(self) -> Sequence[PartitionId]:
        """Return the one there is. Raises UnavailableError when nobody listens there at the start."""
        if not self._reached:
            await reach(self._config.url, self._config, _CODES)
            self._reached = True
        return [PartitionId(place_of(self._config.url))]

    async def open(self, partition: PartitionId, resume: Position | None) -> HttpReader:  # noqa: D102 (contract in Source)
        position = HttpPosition() if resume is None else HttpPosition.decode(resume)
        return HttpReader(self._client, self._config, partition, position, self._context)

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._client.close()
