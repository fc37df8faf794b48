"""One task's way into the collections."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence

from pymongo.common import MAX_BSON_SIZE

from wire.clients.mongodb_client import Client, close
from wire.core.errors import RecordError
from wire.core.ports import Failure
from wire.core.records import Batch
from wire.sinks.mongodb import MongoSinkConfig
from wire.sinks.mongodb.bulk import Bulks
from wire.sinks.mongodb.chains import Chain
from wire.sinks.mongodb.operations import Planner


class MongoWriter:
    """Writes to collections, one write at a time: so no two that are under way can be about one document.

    `counts` says how many records were `replayed` (inserted before) and how many `superseded` (made void by a later one
    of the same write); both count as written.
    """

    max_in_flight = 1

    def __init__(self, client: Client, config: MongoSinkConfig) -> None:
        """Write through `client`, which is connected."""
        self._client = client
        self._planner = Planner(config, MAX_BSON_SIZE)
        self._bulks = Bulks(client, config.database)
        self.counts = {"replayed": 0, "superseded": 0}

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        """Return once a majority of the replica set has every record in its journal, or it has a failure.

        What concerns one id is written in order. Raises RetryableError when a part of the write may not have happened;
        repeating all of it leads to the same documents.
        """
        chains, verdicts = self._planner.plan(batches)
        while chains:
            chains = await self._round(chains, verdicts)
        return _failures(verdicts, batches) if verdicts else ()

    async def _round(self, chains: list[Chain], verdicts: list[tuple[int, RecordError]]) -> list[Chain]:
        """Carry out one operation of every chain; return the chains that have more."""
        operations = [chain.next() for chain in chains]
        refusals = await self._bulks.carry_out(operations)
        verdicts += refusals.items()
        for chain, operation in zip(chains, operations, strict=True):
            if operation.place in refusals:
                chain.refused()
            else:
                self.counts["superseded"] += chain.done()
        self.counts["replayed"] = self._bulks.replayed
        return [chain for chain in chains if chain]

    async def close(self) -> None:
        """Disconnect. Idempotent."""
        await close(self._client)


def _failures(verdicts: list[tuple[int, RecordError]], batches: Sequence[Batch]) -> list[Failure]:
    """Turn places in the write into indices of batches and records."""
    starts = list(itertools.accumulate((len(batch.records) for batch in batches), initial=0))[:-1]
    found = []
    for place, error in sorted(verdicts, key=lambda verdict: verdict[0]):
        batch = bisect_right(starts, place) - 1
        found.append(Failure(batch, place - starts[batch], error))
    return found
