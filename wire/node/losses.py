"""Young versions that are the death of their workers: how often is enough."""

from __future__ import annotations

from collections import Counter
from typing import Final

from wire.cluster import jobs
from wire.cluster.state import State, TaskKey

MOST_LOSSES: Final = 3
"""Once may be chance; each costs everybody on that worker a restart."""


class Losses:
    """Counts, for each task of a version that is not proven yet, how often it was lost with its worker here."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: Counter[TaskKey] = Counter()

    def add(self, state: State, key: TaskKey) -> bool:
        """Count one more; say whether that is enough to go back to an older version.

        It never is where there is none to go back to: the task is started again, whatever that comes to.
        """
        self._counts = Counter({each: many for each, many in self._counts.items() if _is_young(state, each)})  # I8
        if not _is_young(state, key):
            return False
        self._counts[key] += 1
        return self._counts[key] >= MOST_LOSSES


def _is_young(state: State, key: TaskKey) -> bool:
    job = jobs.active(state, key.job)
    return job is not None and jobs.fallback(state, job) is not None
