"""A sink that throws everything away: to measure what comes before it, or to run a pipeline for its other sinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from wire.core.config import Config, doc
from wire.core.formats import Format, JsonFormat
from wire.core.plugins import ComponentContext, Plugin
from wire.core.ports import Failure, Guarantee, TaskId
from wire.core.records import Batch, Checkpoint, PartitionId


class DropConfig(Config, frozen=True, kw_only=True):
    """Takes every record and keeps none of them."""

    format: Annotated[Format, doc("How records are encoded before they are dropped.")] = JsonFormat()


class DropSink:
    """Takes every record and keeps none of them."""

    format: Format
    guarantee = Guarantee.AT_LEAST_ONCE
    carries_headers = True

    def __init__(self, config: DropConfig, context: ComponentContext) -> None:
        """Prepare nothing."""
        self.format = config.format

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> DropWriter:  # noqa: D102 (contract in Sink)
        return DropWriter()


class DropWriter:
    """A `Writer` that is always done."""

    max_in_flight = 1

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:  # noqa: D102 (contract in Writer)
        return ()

    async def close(self) -> None:
        """Do nothing."""


PLUGIN = Plugin(
    kind="sink",
    summary="Throws every record away.",
    config=DropConfig,
    build=DropSink,
    example="""\
sink:
  type: drop
""",
)
