"""What the planner makes of a pipeline's transforms, and what the runner knows of it."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from wire.core.errors import WireError
from wire.core.records import Batch


class StageResult(Struct):
    """What became of one batch. Every input record is in at least one output, counted as filtered, or a failure.

    `outputs` has one batch per sink in the pipeline's order, with the input's partition and position and the columns
    that sink asked for; an output record keeps its source record's `offset`. `failures` pairs an index into the input
    batch with the reason.
    """

    outputs: list[Batch]
    filtered: int
    failures: list[tuple[int, WireError]]


class Stage(Protocol):
    """All of a pipeline's transforms as one synchronous function over a batch."""

    def run(self, batch: Batch) -> StageResult:
        """Decode, transform, route and encode a batch. Never raises for a bad record; never blocks on I/O."""
        ...
