"""What the author of a connector writes so that the conformance checks can be run against it: one small class."""

from __future__ import annotations

import abc
import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, Protocol, TypeVar

from wire.core.ports import Sink, Source
from wire.core.records import Batch, PartitionId


class FixedSourceHarness(abc.ABC):
    """The world of a source whose input never grows. Where it may, implement a `SourceHarness`."""

    resumes: ClassVar[bool] = True
    """Whether a position can be used on another instance. False only where input can't be read twice, as in a pipe."""

    offsets_repeat: ClassVar[bool] = False
    """Whether several records may have one offset, told apart by their `ordinal`. It never falls all the same."""

    deadline_s: ClassVar[float] = 60
    """How long one check may take before it counts as hanging."""

    seeds: ClassVar[Sequence[int]] = range(5)
    """The seeds of the checks that do things at random, each run once."""

    @abc.abstractmethod
    async def fill(self, values: Sequence[Sequence[bytes]]) -> Mapping[PartitionId, Sequence[bytes]]:
        """Put values where the source will find them, one sequence per partition, and return what it has to read.

        Called once, first. The values are distinct JSON objects without line breaks. A source that can't have so many
        partitions puts them into fewer; one that makes up its own records returns those.
        """

    @abc.abstractmethod
    def source(self, *, bounded: bool) -> Source:
        """Return a new instance that reads what was filled in, as after a restart."""

    @abc.abstractmethod
    def elsewhere(self) -> Source | None:
        """Return an instance configured for another target, which need not exist; None if there can't be another."""


class SourceHarness(FixedSourceHarness):
    """The world a source under test reads from. The author of a connector implements one."""

    @abc.abstractmethod
    async def append(self, partition: PartitionId, values: Sequence[bytes]) -> Sequence[bytes]:
        """Add values at the end of a partition while it may be read; return what the source has to read."""


class SinkHarness(abc.ABC):
    """The world a sink under test writes to. The author of a connector implements one."""

    transactional: ClassVar[bool] = False
    """Whether `open` gives a TransactionalWriter."""

    keeps: ClassVar[bool] = True
    """Whether what was written can be read back. False only for a sink that throws everything away."""

    deadline_s: ClassVar[float] = 60
    """How long one check may take before it counts as hanging."""

    seeds: ClassVar[Sequence[int]] = range(10)
    """The seeds of the checks that do things at random, run one after the other in one world."""

    @abc.abstractmethod
    def sink(self) -> Sink:
        """Return a new instance on the same target, as after a restart."""

    @abc.abstractmethod
    async def read_back(self) -> Sequence[bytes]:
        """Return the values a consumer of the target sees now, those of one partition in the order it sees them.

        Asked for when the last writer that was opened is closed; earlier ones may still be open.
        """

    def value(self, document: bytes) -> bytes:
        """Return a JSON object as the bytes this sink is given for it. Distinct objects give distinct bytes."""
        return document

    def prepare(self, batch: Batch) -> Batch:
        """Return the batch with the columns this sink asks for."""
        return batch


class RefusingSinkHarness(SinkHarness):
    """The world of a sink that refuses some value for good."""

    @abc.abstractmethod
    def refused(self) -> bytes:
        """Return a value the sink refuses for good."""


class BreakableSinkHarness(SinkHarness):
    """The world of a sink whose other side can be taken away and brought back."""

    @abc.abstractmethod
    async def take_away(self) -> None:
        """Make the other side unreachable, or have it answer with errors that pass."""

    @abc.abstractmethod
    async def bring_back(self) -> None:
        """Undo `take_away`."""


class _Patient(Protocol):
    deadline_s: ClassVar[float]


HarnessT = TypeVar("HarnessT", bound=_Patient)


def within_deadline(check: Callable[[HarnessT], Awaitable[None]]) -> Callable[[HarnessT], Awaitable[None]]:
    """Make a check that hangs fail when its harness's time is over."""

    @functools.wraps(check)
    async def run(harness: HarnessT) -> None:
        async with asyncio.timeout(harness.deadline_s):
            await check(harness)

    return run
