"""Checkpoints: they belong to a pipeline, so that the next job goes on from where the one before came to.

What is gone may come back: a source that was away, a file that was moved, a pipeline that is made again. So of what is
gone much is remembered, but not for ever (I8): whatever went first is forgotten first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from wire.cluster.state import Kept, NodeName, PipelineKey, State, StoredCheckpoint
from wire.core.records import PartitionKey

MAX_PARTITIONS: Final = 100_000
"""Of one job at a time."""
MAX_GONE: Final = MAX_PARTITIONS
"""Of one pipeline. Not fewer than there can be at a time: that all of them vanish at once makes none forgotten."""
MAX_KEPT: Final = 1000
"""Deleted pipelines: far more than anybody means to make again."""


def put(state: State, key: PipelineKey, new: dict[PartitionKey, StoredCheckpoint]) -> None:
    """Store checkpoints beside those there are, whatever they say."""
    if key in state.unshared:
        state.checkpoints[key].update(new)
    else:
        state.checkpoints[key] = {**state.checkpoints.get(key, {}), **new}
        state.unshared.add(key)


def forget(state: State, key: PipelineKey) -> None:
    """Forget all checkpoints of a pipeline."""
    state.checkpoints.pop(key, None)
    state.kept.pop(key, None)
    state.unshared.discard(key)


def first_generation(state: State, key: PipelineKey) -> int:
    """Return the generation of a pipeline that is created: that of checkpoints which a namesake left.

    Where it left none, but jobs of it still run, the one after theirs, so that they can commit nothing here.
    """
    for stored in state.checkpoints.get(key, {}).values():
        return stored.checkpoint.generation
    return max((job.generation + 1 for job in state.jobs.of(key)), default=0)


def prune(state: State, key: PipelineKey, there: Collection[PartitionKey]) -> None:
    """Learn which partitions there are, and forget those that are gone beyond `MAX_GONE`, the ones gone longest first.

    What a task is to read or reads still is not forgotten: nobody could commit for what is (I3).
    """
    rows = state.checkpoints.get(key)
    if rows is None or not state.bounded:
        return
    gone = rows.copy()
    reported = {partition: gone.pop(partition) for partition in there if partition in gone}
    if len(gone) > MAX_GONE:
        idle = _idle(state, key, gone)
        for partition in idle[: max(len(idle) - MAX_GONE, 0)]:
            del gone[partition]
    state.checkpoints[key] = gone | reported  # in this order: what was not reported for longest comes first
    state.unshared.add(key)


def _idle(state: State, key: PipelineKey, partitions: Iterable[PartitionKey]) -> list[PartitionKey]:
    """Return those that no task of the pipeline is to read or reads still, in their order."""
    tasks = (task for job in state.jobs.of(key) for task in state.tasks.of(job.id))
    in_use = {partition for task in tasks for partition in (*task.share, *task.held)}
    return [partition for partition in partitions if partition not in in_use]


def keep(state: State, key: PipelineKey, deleted_by: str, home: NodeName | None) -> list[PipelineKey]:
    """Let the checkpoints of a pipeline outlive it; return of which others they are forgotten instead."""
    if not state.bounded or key not in state.checkpoints:
        return []
    state.kept[key] = Kept(state.now_ms, deleted_by, home)
    oldest = list(state.kept)[: max(len(state.kept) - MAX_KEPT, 0)]
    for each in oldest:
        forget(state, each)
    return oldest
