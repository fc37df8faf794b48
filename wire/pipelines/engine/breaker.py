"""Whether a sink is taken to be down: closed while it takes records, open while it does not, half-open to find out."""

from __future__ import annotations

import structlog

from wire.pipelines.engine.progress import BreakerState
from wire.pipelines.spec import BreakerSpec

log = structlog.get_logger()


class Breaker:
    """Watches the writes of one branch, which asks it how long to pause and how much to try with."""

    def __init__(self, spec: BreakerSpec, sink: str) -> None:
        """Begin closed; `sink` is what the log calls it."""
        self._spec = spec
        self._sink = sink
        self._failures = 0
        self.state: BreakerState = "closed"

    def failed(self) -> bool:
        """Learn that nothing of a write got in; say whether that opened it."""
        self._failures += 1
        if self.state == "half_open":
            self.state = "open"
        elif self.state == "closed" and self._failures >= self._spec.failures:
            self.state = "open"
            log.warning("breaker_opened", sink=self._sink, failures=self._failures)
            return True
        return False

    def answered(self) -> None:
        """Learn that the sink took something of a write, or refused it for good."""
        self._failures = 0
        if self.state != "closed":
            self.state = "closed"
            log.info("breaker_closed", sink=self._sink)

    def pause_s(self, wait_s: float) -> float:
        """Return how long to pause where `wait_s` would be due."""
        if self.state == "open" and self._spec.open_for is not None:
            return max(wait_s, self._spec.open_for.s)
        return wait_s

    def paused(self) -> None:
        """Learn that the pause is over: what comes next finds out."""
        if self.state == "open":
            self.state = "half_open"
