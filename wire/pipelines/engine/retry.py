"""Exponential backoff with full jitter, reset by a success, and when there is no use in trying again.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (the "full jitter" variant).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

from wire.core.errors import FatalError, RetryableError
from wire.pipelines.spec import RetryRule, RetrySpec


class Limit(Struct, frozen=True):
    """How often something is tried, None for without end; what then; and where the pipeline says so."""

    attempts: int | None
    then: Literal["reject", "fail"]
    path: str


class Backoff:
    """Counts the attempts at one operation and says how long to wait before the next."""

    def __init__(self, spec: RetrySpec, rng: random.Random, path: str = "$.retry") -> None:
        """Start with no failure counted, under a policy that the pipeline names at `path`."""
        self._spec = spec
        self._rng = rng
        self._path = path
        self.reset()

    def reset(self) -> None:
        """Forget the failures: the operation succeeded."""
        self.attempts = 0
        self._ceiling_s = min(self._spec.initial.s, self._spec.max.s)

    def next_s(self, error: RetryableError) -> float:
        """Count a failure and return the seconds to wait: at least what the other side asked for.

        Raises FatalError when the attempts are used up.
        """
        wait_s = self.wait_s(error)
        limit = self.limit(error)
        if limit.attempts is not None and self.attempts >= limit.attempts:
            raise exhausted(error, self.attempts, limit)
        return wait_s

    def wait_s(self, error: RetryableError) -> float:
        """Do the same, whoever counts the attempts."""
        self.attempts += 1
        wait_s = self._rng.uniform(0, self._ceiling_s)
        self._ceiling_s = min(self._ceiling_s * self._spec.factor, self._spec.max.s)
        return max(error.after_s, wait_s)

    def limit(self, error: RetryableError) -> Limit:
        """Return how often to try in the face of an error what can't be rejected."""
        return self._limit(error, [rule for rule in self._spec.rules if rule.then == "fail"])

    def limit_of_record(self, error: RetryableError) -> Limit:
        """Return how often to try to write a record."""
        return self._limit(error, self._spec.rules)

    def _limit(self, error: RetryableError, rules: Sequence[RetryRule]) -> Limit:
        rule = next((rule for rule in rules if any(fnmatchcase(error.code, pattern) for pattern in rule.codes)), None)
        if rule is not None:
            return Limit(rule.attempts, rule.then, f"{self._path}.rules[{self._spec.rules.index(rule)}]")
        attempts = self._spec.attempts
        return Limit(None if attempts == "unlimited" else attempts, "fail", f"{self._path}.attempts")


def exhausted(error: RetryableError, attempts: int, limit: Limit) -> FatalError:
    """Return what stops the pipeline when the attempts are used up."""
    raised = FatalError(
        "pipeline.retries_exhausted",
        f"gave up after {attempts} attempt{'s' * (attempts > 1)}; the last error was {error.code}: {error.message}",
        path=limit.path,
        hint=error.hint,
    )
    raised.__cause__ = error
    return raised
