"""What the planner makes of a pipeline's transforms, and what the runner knows of it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from msgspec import Struct

from wire.core.errors import WireError
from wire.core.records import Batch


class StageResult(Struct):
    """What became of one batch. Every input record is in at least one output, counted as filtered, or a failure.

    `outputs` has one batch per sink in the pipeline's order, with the input's partition and position and the columns
    that sink asked for; an output record keeps its source record's `offset`. Where one record became several, an input
    record may be in an output more than once, and in an output as well as a failure. `failures` pairs an index into the
    input batch with the reason, one for each index.
    """

    outputs: list[Batch]
    filtered: int
    failures: list[tuple[int, WireError]]


class Stage(Protocol):
    """All of a pipeline's transforms as one function over a batch."""

    max_records: int | None
    """How many records a batch should have at most, where a transform asks for small ones."""

    waits: bool
    """Whether a transform has to ask someone outside this process: then `run_waiting` is to be used, else `run`."""

    def run(self, batch: Batch) -> StageResult:
        """Decode, transform, route and encode a batch. Never raises for a bad record; never blocks on I/O."""
        ...

    def run_waiting(self, batch: Batch) -> Awaitable[StageResult]:
        """Do the same with pauses. Raises RetryableError while nobody answers; what was cancelled changed nothing."""
        ...

    async def close(self) -> None:
        """Let go of what the transforms hold, such as connections. Idempotent; nothing is run after it."""
        ...
