"""Harnesses of the connectors that wire.testing itself brings."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from wire.core.errors import RecordError, RetryableError
from wire.core.ports import Sink, Source
from wire.core.records import PartitionId, Record
from wire.testing.faults import Raise
from wire.testing.harness import BreakableSinkHarness, RefusingSinkHarness, SourceHarness
from wire.testing.memory import GAP, Item, MemorySink, MemorySource, MemoryTransactionalSink


class MemorySourceHarness(SourceHarness):
    def __init__(self) -> None:
        self.held = MemorySource({})

    async def fill(self, values: Sequence[Sequence[bytes]]) -> Mapping[PartitionId, Sequence[bytes]]:
        filled = {PartitionId(str(number)): each for number, each in enumerate(values)}
        for partition, each in filled.items():
            await self.held.append(partition, *self.items(each))
        return filled

    def items(self, values: Sequence[bytes]) -> Sequence[Item]:
        return values

    def source(self, *, bounded: bool) -> Source:
        source = copy.copy(self.held)
        source.bounded = bounded
        return source

    def elsewhere(self) -> Source:
        return MemorySource({}, name="elsewhere")

    async def append(self, partition: PartitionId, values: Sequence[bytes]) -> Sequence[bytes]:
        await self.held.append(partition, *values)
        return values


class GappyMemorySourceHarness(MemorySourceHarness):
    """Every other place holds no record."""

    def items(self, values: Sequence[bytes]) -> Sequence[Item]:
        return [item for value in values for item in (GAP, value)]


def refuse_some(record: Record) -> RecordError | None:
    return RecordError("memory.scripted") if record.value == b"refused" else None


class MemorySinkHarness(RefusingSinkHarness, BreakableSinkHarness):
    def __init__(self) -> None:
        self.target: MemorySink | MemoryTransactionalSink = MemorySink(refuse=refuse_some, max_in_flight=3)

    def sink(self) -> Sink:
        return self.target

    async def read_back(self) -> Sequence[bytes]:
        return [value for value in self.target.values() if value is not None]

    def refused(self) -> bytes:
        return b"refused"

    async def take_away(self) -> None:
        self.target.writes.now(Raise(RetryableError("memory.scripted"), after=1))

    async def bring_back(self) -> None:
        return


class MemoryTransactionalSinkHarness(MemorySinkHarness):
    transactional = True

    def __init__(self) -> None:
        self.target = MemoryTransactionalSink(refuse=refuse_some)
