"""Commits: what a task has come to becomes its partitions' checkpoints, if it is the one to say so (I3, I4)."""

from __future__ import annotations

from typing import Literal

from wire.cluster import checkpoints, tasks
from wire.cluster.commands import CommitCheckpoints, Committed, TaskCheckpoints
from wire.cluster.state import State, StoredCheckpoint
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
        checkpoints.put(state, pipeline.key, new)
        if task is not None:
            tasks.settle_down(state, task)
    return None
