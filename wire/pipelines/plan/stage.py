"""The compiled stage: a generated function with its source."""

from __future__ import annotations

from collections.abc import Callable

from wire.core.records import Batch
from wire.pipelines.stage import StageResult


class CompiledStage:
    """A pipeline's transforms over one source. `source` is the generated Python, for whoever wants to see it."""

    def __init__(self, source: str, run: Callable[[Batch], StageResult]) -> None:
        """`run` is the function that `source` defines."""
        self.source = source
        self.run = run
        """As `Stage.run`."""
