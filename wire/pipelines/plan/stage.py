"""The compiled stage: a generated function with its source."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from wire.core.records import Batch
from wire.pipelines.stage import StageResult


class CompiledStage:
    """A pipeline's transforms over one source. `source` is the generated Python, for whoever wants to see it."""

    def __init__(
        self,
        source: str,
        function: Callable[[Batch], Any],
        waits: bool,
        closes: Sequence[Callable[[], Awaitable[None]]],
        max_records: int | None,
    ) -> None:
        """`function` is what `source` defines: a coroutine function if it `waits`. `closes` are called by `close`."""
        self.source = source
        self.max_records = max_records
        self.waits = waits
        self.run: Callable[[Batch], StageResult] = function
        """As `Stage.run`."""
        self.run_waiting: Callable[[Batch], Awaitable[StageResult]] = function
        """As `Stage.run_waiting`."""
        self._closes = list(closes)

    async def close(self) -> None:
        """As `Stage.close`: the last transform first, all of them even where one raises."""
        async with contextlib.AsyncExitStack() as stack:
            for close in self._closes:
                stack.push_async_callback(close)
            self._closes.clear()
