"""Times and limits of the scheduler."""

from __future__ import annotations

from msgspec import Struct


class SchedulerSettings(Struct, frozen=True, kw_only=True):
    """With these a dead node's tasks are given to others `lease_ms` and `settle_ms` after it was heard last."""

    lease_ms: int = 3_000  # some ten renewals: a machine that is only busy gets one of them through
    settle_ms: int = 1_000  # more, then its tasks go elsewhere: a short break does not move everything twice
    return_ms: int = 30_000  # until a node that has come counts in full: its tasks start a few at a time
    tolerance: float = 0.1  # a node may have so much more than another, in proportion, before a running task is moved
    max_moves_per_node: int = 32  # running tasks on their way from a node at once, and to it: their pauses add up
    max_moves_per_command: int = 500  # carried out in a millisecond or so: heartbeats wait for it
    grace_ms: int = 60_000  # a version whose tasks have run for so long is one to fall back to
