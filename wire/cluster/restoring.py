"""A backup is put back: checkpoints first, which nobody sees, then all pipelines at once."""

from __future__ import annotations

from msgspec.structs import replace

from wire.cluster import checkpoints, jobs, trail
from wire.cluster.commands import Done, Refused, RestoreCheckpoints, RestorePipelines
from wire.cluster.state import Pipeline, PipelineKey, State


def put_checkpoints(state: State, command: RestoreCheckpoints) -> Done | Refused:
    """Store checkpoints for a pipeline that is not there yet."""
    if command.key in state.pipelines:
        return _not_empty(f"there is a pipeline {'/'.join(command.key)}")
    generations = {stored.checkpoint.generation for _, stored in command.rows}
    if not command.anew:
        generations.update(_generation(state, command.key))
    if len(generations) > 1:  # I3: of one pipeline all are of one
        return Refused(code="cluster.damaged_backup", message=f"checkpoints of {'/'.join(command.key)} don't fit")
    if command.anew:
        checkpoints.forget(state, command.key)
    if command.rows:
        checkpoints.put(state, command.key, dict(command.rows))
    return Done()


def make_pipelines(state: State, index: int, command: RestorePipelines) -> Done | Refused:
    """Make all pipelines, or none."""
    if state.pipelines:
        return _not_empty(f"there are {len(state.pipelines)} pipelines")
    if state.tasks:  # they could commit for those that are made here
        return _not_empty("tasks of pipelines that were deleted still run")
    keys = {each.key for each in command.pipelines}
    fit = len(keys) == len(command.pipelines) == len(set(command.jobs)) and all(
        _is_whole(each) and each.generation in _generation(state, each.key, each.generation)
        for each in command.pipelines
    )
    if not fit or any(job in state.jobs for job in command.jobs):
        return Refused(code="cluster.damaged_backup", message="the pipelines of the backup are not whole")
    state.last_epoch = max(state.last_epoch, command.last_epoch)
    for pipeline, job in zip(command.pipelines, command.jobs, strict=True):
        state.kept.pop(pipeline.key, None)
        state.pipelines[pipeline.key] = replace(pipeline, revision=index, job=None)
        if pipeline.desired == "running":
            jobs.begin(state, pipeline.key, job)
    trail.record(state, index, command, "cluster", f"{len(command.pipelines)} pipelines")
    return Done()


def _generation(state: State, key: PipelineKey, *otherwise: int) -> tuple[int, ...]:
    """Return the generation of the checkpoints that are there for a pipeline."""
    for stored in state.checkpoints.get(key, {}).values():
        return (stored.checkpoint.generation,)
    return otherwise


def _is_whole(pipeline: Pipeline) -> bool:
    """Whether a pipeline is one that could have come to be here."""
    numbers = [each.number for each in pipeline.versions]
    return (
        numbers == sorted(set(numbers))
        and pipeline.current in numbers
        and pipeline.proven in (None, *numbers)
        and all(each.weight >= 1 and (each.parallelism or 1) >= 1 for each in pipeline.versions)
    )


def _not_empty(why: str) -> Refused:
    return Refused(
        code="cluster.not_empty",
        message=f"a backup is restored into a cluster without pipelines only: {why}",
        hint="restore it into a new cluster, or delete the pipelines first",
    )
