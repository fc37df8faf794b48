"""From the state to what the API answers. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final, assert_never

from msgspec import Raw

from wire.api import views
from wire.cluster.state import (
    DISCOVERY,
    Error,
    Job,
    Pipeline,
    PipelineKey,
    PipelineVersion,
    State,
    StoredCheckpoint,
    Task,
)
from wire.core.records import PartitionKey

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def moment(ms: int) -> datetime.datetime:
    """Return a time as the API shows it."""
    return _EPOCH + datetime.timedelta(milliseconds=ms)


def pipeline(state: State, found: Pipeline) -> views.Pipeline:
    """Return a pipeline, with what its job does."""
    job = current_job(state, found)
    return views.Pipeline(
        name=found.key.name,
        namespace=found.key.namespace,
        version=found.current,
        revision=found.revision,
        spec=Raw(found.current_version.spec),
        desired=found.desired,
        state=pipeline_state(state, found),
        job_id=found.job,
        generation=found.generation,
        created_at=moment(found.created_ms),
        updated_at=moment(found.updated_ms),
        error=_why(state, job),
        fell_back_from=job.fell_back_from if job else None,
    )


def current_job(state: State, found: Pipeline) -> Job | None:
    """Return the job of a pipeline, None where it was ended."""
    return state.jobs.get(found.job) if found.job is not None else None


def tasks_of(state: State, key: PipelineKey) -> list[Task]:
    """Return the tasks of all jobs of a pipeline: an ended one has some until they are released."""
    return [task for job in state.jobs.of(key) for task in state.tasks_of(job.id)]


def pipeline_state(state: State, found: Pipeline) -> views.PipelineState:
    """Return what a pipeline does, by its job and who runs its tasks."""
    job = current_job(state, found)
    if job is not None and job.state in ("failed", "done"):
        return "failed" if job.state == "failed" else "done"
    running = any(task.owner is not None for task in tasks_of(state, found.key))
    match found.desired:
        case "stopped":
            return "stopping" if running else "stopped"
        case "paused":
            return "pausing" if running else "paused"
        case "running":
            own = [task for task in state.tasks_of(job.id) if task.key.slot != DISCOVERY] if job else []
            return "running" if own and all(task.ended or task.owner for task in own) else "starting"
        case _:
            assert_never(found.desired)


def version(found: Pipeline, one: PipelineVersion) -> views.Version:
    """Return a version of a pipeline."""
    return views.Version(
        version=one.number,
        created_at=moment(one.created_ms),
        author=one.author,
        note=one.note,
        current=one.number == found.current,
        proven=one.number == found.proven,
    )


def version_spec(found: Pipeline, one: PipelineVersion) -> views.VersionSpec:
    """Return a version of a pipeline with its spec."""
    return views.VersionSpec(
        version=one.number,
        created_at=moment(one.created_ms),
        author=one.author,
        note=one.note,
        current=one.number == found.current,
        proven=one.number == found.proven,
        spec=Raw(one.spec),
    )


def job(state: State, found: Job) -> views.Job:
    """Return a job."""
    return views.Job(
        id=found.id,
        pipeline=found.pipeline.name,
        namespace=found.pipeline.namespace,
        version=found.version,
        state=found.state,
        started_at=moment(found.started_ms),
        ended_at=None if found.ended_ms is None else moment(found.ended_ms),
        tasks=sum(task.key.slot != DISCOVERY for task in state.tasks_of(found.id)),
        error=_error(found.error),
        fell_back_from=found.fell_back_from,
    )


def task(found: Task) -> views.Task:
    """Return a task."""
    return views.Task(
        job_id=found.key.job,
        slot=found.key.slot,
        state=task_state(found),
        node=found.owner,
        target=found.target,
        epoch=found.epoch,
        partitions=tuple(views.Partition(source=source, partition=name) for source, name in found.share),
        moved_at=moment(found.moved_ms) if found.moved_ms else None,
    )


def task_state(found: Task) -> views.TaskState:
    """Return what a task does: it moves while somebody runs it who is not to, any more."""
    if found.ended:
        return "ended"
    if found.owner is None:
        return "waiting"
    return "running" if found.owner == found.target else "moving"


def status(state: State, found: Pipeline) -> views.PipelineStatus:
    """Return how a pipeline is."""
    its_job = current_job(state, found)
    everything = tasks_of(state, found.key)
    return views.PipelineStatus(
        name=found.key.name,
        namespace=found.key.namespace,
        version=found.current,
        desired=found.desired,
        state=pipeline_state(state, found),
        generation=found.generation,
        job=job(state, its_job) if its_job else None,
        tasks=_counts([task for task in everything if task.key.slot != DISCOVERY]),
        nodes=tuple(sorted({task.owner for task in everything if task.owner is not None})),
        checkpoints=len(state.checkpoints.get(found.key, ())),
        home=found.home if found.current_version.keeps_files is not False else None,
        error=_why(state, its_job),
        fell_back_from=its_job.fell_back_from if its_job else None,
    )


def checkpoint(row: tuple[PartitionKey, StoredCheckpoint]) -> views.Checkpoint:
    """Return a checkpoint."""
    (source, partition), stored = row
    return views.Checkpoint(
        source=source,
        partition=partition,
        generation=stored.checkpoint.generation,
        seq=stored.checkpoint.seq,
        epoch=stored.epoch,
        position=stored.checkpoint.position,
    )


def kept_checkpoints(state: State, key: PipelineKey) -> views.KeptCheckpoints:
    """Return what a pipeline has left."""
    known = state.kept.get(key)
    return views.KeptCheckpoints(
        name=key.name,
        namespace=key.namespace,
        checkpoints=len(state.checkpoints[key]),
        deleted_at=moment(known.deleted_ms) if known else None,
        deleted_by=known.deleted_by if known else "",
    )


def _counts(tasks: Sequence[Task]) -> views.TaskCounts:
    states = [task_state(task) for task in tasks]
    return views.TaskCounts(
        total=len(states),
        waiting=states.count("waiting"),
        running=states.count("running"),
        moving=states.count("moving"),
        ended=states.count("ended"),
    )


def _why(state: State, job: Job | None) -> views.ErrorView | None:
    """Return why a job failed or, if it has taken over from one that did, why that one did."""
    if job is None or job.fell_back_from is None or job.error is not None:
        return _error(job.error) if job else None
    failed = [each for each in state.jobs.of(job.pipeline) if each.version == job.fell_back_from and each.error]
    return _error(failed[-1].error) if failed else None


def _error(error: Error | None) -> views.ErrorView | None:
    if error is None:
        return None
    return views.ErrorView(code=error.code, message=error.message, path=error.path, hint=error.hint)


def counts(state: State) -> views.Counts:
    """Return how much there is."""
    return views.Counts(
        nodes=len(state.nodes),
        pipelines=len(state.pipelines),
        jobs=len(state.jobs),
        tasks=len(state.tasks),
        checkpoints=sum(map(len, state.checkpoints.values())),
    )
