"""Exponential backoff with full jitter, reset by a success.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (the "full jitter" variant).
"""

from __future__ import annotations

import random

from wire.core.errors import FatalError, RetryableError
from wire.pipelines.spec import RetrySpec


class Backoff:
    """Counts the attempts at one operation and says how long to wait before the next."""

    def __init__(self, spec: RetrySpec, rng: random.Random) -> None:
        """Start with no failure counted."""
        self._spec = spec
        self._rng = rng
        self.reset()

    def reset(self) -> None:
        """Forget the failures: the operation succeeded."""
        self.attempts = 0
        self._ceiling_s = min(self._spec.initial.s, self._spec.max.s)

    def next_s(self, error: RetryableError) -> float:
        """Count a failure and return the seconds to wait: at least what the other side asked for.

        Raises FatalError when the attempts are used up.
        """
        self.attempts += 1
        limit = self._spec.attempts
        if limit != "unlimited" and self.attempts >= limit:
            raise FatalError(
                "pipeline.retries_exhausted",
                f"gave up after {self.attempts} attempts; the last error was {error.code}: {error.message}",
                path="$.retry.attempts",
                hint=error.hint,
            ) from error
        wait_s = self._rng.uniform(0, self._ceiling_s)
        self._ceiling_s = min(self._ceiling_s * self._spec.factor, self._spec.max.s)
        return max(error.after_s, wait_s)
