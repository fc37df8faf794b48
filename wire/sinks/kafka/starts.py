"""One start of a task that writes in transactions: it says what it reads, fences who did before, and commits (I4).

A start first says in the topic of the positions what it reads, and only then looks who else does: one that came later
fences it, those before it are fenced. Of two at once the one whose row is behind the other's sees it, however long
either stands still in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import SINK
from wire.clients.kafka_offsets import Isolation
from wire.core.clock import Clock
from wire.core.errors import FatalError, FencedError, RetryableError
from wire.core.records import Checkpoint, PartitionKey, Record
from wire.sinks.kafka.lane import Encoding, Lane
from wire.sinks.kafka.positions import Positions, Row, Start
from wire.sinks.kafka.producer import Producer
from wire.sinks.kafka.transaction import TRANSACTION_TIMEOUT_S, TransactionalSession

_PLAIN: Final = 0
_ROW_BYTES: Final = 1 << 20
_PATIENCE_S: Final = TRANSACTION_TIMEOUT_S + 15.0  # brokers look for what is late every ten seconds


class Started:
    """A start at work: sinks send under its `session`, on its `cluster`."""

    def __init__(self, cluster: KafkaCluster, positions: Positions, start: Start, clock: Clock) -> None:
        """Prepare; `begin` comes first."""
        self.cluster = cluster
        self.session = TransactionalSession(cluster, start.transactional_id)
        self._positions = positions
        self._start = start
        self._clock = clock
        self._rows = Producer(cluster, self.session, _ROW_BYTES)
        self._fenced: list[Start] = []

    async def begin(self) -> Mapping[PartitionKey, Row]:
        """Fence all earlier starts that read any of the same, and return the pipeline's rows.

        Raises FencedError where a later start was first; RetryableError, UnavailableError, RestartError.
        """
        await self.session.start()
        await self._write([self._positions.start(self._start)])
        await self.session.commit()
        starts = (await self._positions.read(Isolation.READ_UNCOMMITTED, _PATIENCE_S)).starts
        if self._start not in starts:
            message = "a broker that has lost its part of the cluster has answered"
            raise RetryableError(SINK.unreachable, message, hint="it is tried again")
        rivals = [each for each in starts if each.overlaps(self._start)]
        if any(each.epoch > self._start.epoch for each in rivals):
            raise FencedError("checkpoint.fenced", "a newer start of this task writes to the cluster")
        self._fenced = [each for each in rivals if each.transactional_id != self._start.transactional_id]
        for each in self._fenced:
            await TransactionalSession(self.cluster, each.transactional_id).start()
        return (await self._positions.read(Isolation.READ_COMMITTED, _PATIENCE_S)).rows

    async def commit(self, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        """Commit what was sent, with a row for each checkpoint. Raises RestartError."""
        rows = [self._positions.position(key, checkpoint) for key, checkpoint in checkpoints.items()]
        await self._write([*rows, *map(self._positions.end, self._fenced)])
        await self.session.commit()
        self._fenced = []

    async def end(self) -> None:
        """Take back what is not committed, and say that this start writes no more, if it still can."""
        if self.session.id is not None:
            if self.session.open:  # under another epoch of the id: what is still on its way is not taken any more
                await self.session.start()
            await self._write([self._positions.end(self._start)])
            await self.session.commit()

    async def _write(self, rows: Iterable[Record]) -> None:
        lane = Lane(self._positions.target)
        lane.records += rows
        lane.places += range(len(lane.records))
        await self._rows.deliver([lane], Encoding(_PLAIN, self._clock.now_ms()))
        for _, error in lane.failures:
            message = f"the positions can't be written: {error.message}"
            raise FatalError("sink.kafka.positions_topic", message, hint=error.hint)
