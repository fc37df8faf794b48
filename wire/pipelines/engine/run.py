"""What all parts of one run of a task share."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from wire.core.clock import Clock
from wire.core.errors import RetryableError
from wire.pipelines.engine.ledger import Ledger
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.retry import Backoff
from wire.pipelines.spec import PipelineSpec

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what was asked for, what is under way, what is said of it, and where time and chance come from.

    It is of one of so many `tasks` that share the pipeline's work.
    """

    spec: PipelineSpec
    ledger: Ledger
    progress: Progress
    clock: Clock
    rng: random.Random
    tasks: int = 1

    def backoff(self) -> Backoff:
        """Return a new backoff under the pipeline's retry policy."""
        return Backoff(self.spec.retry, self.rng)

    async def persist(self, attempt: Callable[[], Awaitable[T]], failed: Callable[[RetryableError, float], None]) -> T:
        """Try until it works; `failed` is told of each failure, with the seconds until the next attempt.

        Raises FatalError when the attempts are used up, and whatever else than RetryableError `attempt` raises.
        """
        backoff: Backoff | None = None
        while True:
            try:
                return await attempt()
            except RetryableError as exc:
                backoff = backoff or self.backoff()
                wait_s = backoff.next_s(exc)
                failed(exc, wait_s)
                await self.clock.sleep(wait_s)
