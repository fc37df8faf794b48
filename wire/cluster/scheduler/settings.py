"""Times and limits of the scheduler."""

from __future__ import annotations

from msgspec import Struct


class SchedulerSettings(Struct, frozen=True, kw_only=True):
    """With these a dead node's tasks are given to others `lease_ms` and `settle_ms` after it was heard last."""

    lease_ms: int = 4_000  # as long as nodes take it to be
    settle_ms: int = 500  # more, then its tasks go elsewhere: a short break does not move everything twice
    return_ms: int = 30_000  # until a node that has come counts in full: its tasks start a few at a time
    dwell_ms: int = 10_000  # a task that was moved is left alone for so long: it has hardly caught up
    tolerance: float = 0.1  # a node may have so much more than another, in proportion, before a running task is moved
    max_moves_per_node: int = 32  # running tasks on their way from a node at once, and to it: their pauses add up
    max_moves_per_command: int = 500  # carried out in a millisecond or so: heartbeats wait for it
    grace_ms: int = 60_000  # a version whose tasks have run for so long is one to fall back to
