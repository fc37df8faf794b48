"""The compiled stage: a generated function with its source."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from wire.core.records import Batch
from wire.pipelines.stage import StageResult


class CompiledStage:
    """A pipeline's transforms over one source. `source` is the generated Python, for whoever wants to see it."""

    def __init__(self, source: str, function: Callable[[Batch], Any], waits: bool) -> None:
        """`function` is what `source` defines: a coroutine function if it `waits`."""
        self.source = source
        self.waits = waits
        self.run: Callable[[Batch], StageResult] = function
        """As `Stage.run`."""
        self.run_waiting: Callable[[Batch], Awaitable[StageResult]] = function
        """As `Stage.run_waiting`."""
