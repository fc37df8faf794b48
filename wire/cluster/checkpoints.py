"""Checkpoints: they belong to a pipeline, so that the next job goes on from where the one before came to."""

from __future__ import annotations

from typing import Literal

from wire.cluster import tasks
from wire.cluster.commands import CommitCheckpoints, Committed, TaskCheckpoints
from wire.cluster.state import PipelineKey, State, StoredCheckpoint
from wire.core.records import PartitionKey


def commit(state: State, command: CommitCheckpoints) -> Committed:
    """Store what may be stored."""
    return Committed(tuple(_commit(state, theirs) for theirs in command.tasks))


def _commit(state: State, theirs: TaskCheckpoints) -> Literal["fenced", "moved_back"] | None:
    task = tasks.running(state, theirs.key, theirs.epoch)
    pipeline = state.pipeline_of(theirs.key.job) if task is not None else None
    if pipeline is None:
        return "fenced"  # I4: this epoch was released or revoked, or another one runs
    stored = state.checkpoints.get(pipeline.key, {})
    new: dict[PartitionKey, StoredCheckpoint] = {}
    for partition, checkpoint in theirs.checkpoints:
        if checkpoint.generation != pipeline.generation:
            return "fenced"  # I3: the positions were reset; all that is stored is of the newest generation
        if state.tasks.holder(theirs.key.job, partition) != theirs.key:
            return "fenced"
        last = new.get(partition) or stored.get(partition)
        if last is not None and checkpoint.seq <= last.checkpoint.seq:
            return "moved_back"  # I3
        new[partition] = StoredCheckpoint(theirs.epoch, checkpoint)
    if new:
        put(state, pipeline.key, new)
    return None


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
    state.unshared.discard(key)


def first_generation(state: State, key: PipelineKey) -> int:
    """Return the generation of a pipeline that is created: that of checkpoints which a namesake left.

    Where it left none, but jobs of it still run, the one after theirs, so that they can commit nothing here.
    """
    for stored in state.checkpoints.get(key, {}).values():
        return stored.checkpoint.generation
    return max((job.generation + 1 for job in state.jobs.of(key)), default=0)
