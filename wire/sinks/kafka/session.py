"""Under which identity a producer sends, and how far it has counted: what the brokers tell repeated batches by."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.transaction import InitProducerIdRequest

from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import SINK, translate
from wire.core.errors import RetryableError, WireError
from wire.sinks.kafka.lane import ProducerId, Stamp, Target

_PATIENCE_S: Final = 8.0
_AGAIN_S: Final = 0.1
_NO_TIMEOUT: Final = 2**31 - 1
_SEQUENCES: Final = 2**31


class Session:
    """An idempotent producer's: each batch is appended once. A lost identity is replaced by a new one."""

    transactional_id: str | None = None

    def __init__(self, cluster: KafkaCluster) -> None:
        """Have no identity yet."""
        self.id: ProducerId | None = None
        self.lock = asyncio.Lock()  # whoever sends holds it: two who count at once would count wrongly
        self._cluster = cluster
        self._sequences: defaultdict[Target, int] = defaultdict(int)

    async def start(self) -> None:
        """Get an identity from the brokers. Raises RetryableError or UnavailableError, within seconds."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        while True:
            response = await self._cluster.ask(InitProducerIdRequest(None, _NO_TIMEOUT))
            if not response.error_code:
                break
            error: KafkaError = for_code(response.error_code)()  # a broker that has just started asks for patience
            if not error.retriable or asyncio.get_running_loop().time() > deadline:
                raise translate(error, SINK, "starting an idempotent producer")
            await asyncio.sleep(_AGAIN_S)
        self._begin(ProducerId(response.producer_id, response.producer_epoch))

    async def renew(self) -> None:
        """Get another identity in the place of one that was lost. Raises RestartError where that ends something."""
        await self.start()

    async def join(self, targets: Iterable[Target]) -> None:
        """Announce to where the next batches go. Raises RestartError where nothing can be sent any more."""

    def stamp(self, target: Target) -> Stamp:
        """Return what the next batch to a partition carries. Only while there is an identity."""
        if self.id is None:
            raise asyncio.InvalidStateError("nothing is sent without an identity")
        transactional = self.transactional_id is not None
        return Stamp(self.id.id, self.id.epoch, self._sequences[target], transactional)

    def taken(self, target: Target, count: int) -> None:
        """Learn that so many records are durable there."""
        self._sequences[target] = (self._sequences[target] + count) % _SEQUENCES

    def forgotten(self, error: KafkaError) -> WireError | None:
        """Learn that the brokers do not know this identity any more; return what that ends, None if nothing."""
        self.id = None
        return None

    def unknown(self, problem: RetryableError) -> None:
        """Learn that it is not known what became of a batch. Raises RestartError where that ends something."""

    def _begin(self, id_: ProducerId) -> None:
        self.id = id_
        self._sequences.clear()
