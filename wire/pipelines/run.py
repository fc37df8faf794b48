"""What all parts of one run of a task share."""

from __future__ import annotations

import random
from dataclasses import dataclass

from wire.core.clock import Clock
from wire.pipelines.ledger import Ledger
from wire.pipelines.progress import Progress
from wire.pipelines.retry import Backoff
from wire.pipelines.spec import PipelineSpec


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what was asked for, what is under way, what is said of it, and where time and chance come from."""

    spec: PipelineSpec
    ledger: Ledger
    progress: Progress
    clock: Clock
    rng: random.Random

    def backoff(self) -> Backoff:
        """Return a new backoff under the pipeline's retry policy."""
        return Backoff(self.spec.retry, self.rng)
