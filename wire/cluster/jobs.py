"""Jobs: how they begin, end, and are forgotten.

A pipeline's job is active, failed or done; every other job of the pipeline has come to its end. Tasks of a job that is
not active stay for as long as somebody owns them, without a target.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from wire.cluster.commands import Done, Prove
from wire.cluster.state import DISCOVERY, UNPROVEN_FALLBACK, Job, JobId, PipelineKey, State, Task, TaskKey

MAX_ENDED: Final = 20
"""Enough to see what a pipeline went through lately; a job that fails and is restarted adds one each time."""


def begin(state: State, key: PipelineKey, id_: JobId, *, fell_back_from: int | None = None) -> None:
    """Begin a job of a pipeline's current version, with nothing but its discovery. The id must be free."""
    pipeline = state.pipelines[key]
    version = pipeline.current_version
    state.jobs[id_] = Job(
        id=id_,
        pipeline=key,
        version=version.number,
        generation=pipeline.generation,
        state="active",
        started_ms=state.now_ms,
        parallelism=version.parallelism,
        weight=version.weight,
        node_selector=version.node_selector,
        # of an older version nobody knows: that there are files says that it may go on with them
        keeps_files=pipeline.home is not None if version.keeps_files is None else version.keeps_files,
        fell_back_from=fell_back_from,
    )
    discovery = TaskKey(id_, DISCOVERY)
    state.tasks[discovery] = Task(key=discovery)
    state.pipelines[key] = replace(pipeline, job=id_)


def active(state: State, id_: JobId | None) -> Job | None:
    """Return the job of that id, if it is there and active. Its pipeline is there too, and the job is its job."""
    job = state.jobs.get(id_) if id_ is not None else None
    return job if job is not None and job.state == "active" else None


def fallback(state: State, job: Job) -> int | None:
    """Return the version that takes over if this job fails now: always an older one; None if there is none.

    That is the proven one if there is. Before any is, it is the one that the job took over from, where that had not
    failed itself and went on from the same positions.
    """
    pipeline = state.pipelines.get(job.pipeline)
    if pipeline is None:
        return None
    if pipeline.proven is not None:
        return pipeline.proven if pipeline.proven < job.version else None
    if state.command_version < UNPROVEN_FALLBACK:
        return None
    older = [each for each in state.jobs.of(job.pipeline) if each.version < job.version]
    if not older or older[-1].state == "failed" or older[-1].generation != pipeline.generation:
        return None
    return older[-1].version if pipeline.version(older[-1].version) is not None else None


def end(state: State, id_: JobId | None) -> None:
    """End a job that is still active."""
    job = active(state, id_)
    if job is not None:
        finish(state, replace(job, state="ended"))


def finish(state: State, job: Job) -> None:
    """Put `job`, with a state that is final, in the place of the active one, and let go of its tasks."""
    state.jobs[job.id] = replace(job, ended_ms=state.now_ms)
    for task in state.tasks.of(job.id):
        if task.owner is None:
            del state.tasks[task.key]
        else:
            state.tasks[task.key] = replace(task, target=None)
    forget_old(state, job.pipeline)


def forget_old(state: State, key: PipelineKey) -> None:
    """Forget the oldest jobs of a pipeline that ended, all of them if it is gone; not those that still have tasks."""
    over = [job for job in state.jobs.of(key) if not state.tasks.any_of(job.id)]  # an active one has its discovery
    kept = MAX_ENDED if key in state.pipelines else 0
    for job in over[: max(len(over) - kept, 0)]:
        del state.jobs[job.id]


def prove(state: State, command: Prove) -> Done:
    """Let a version be what a failing newer one falls back to."""
    job = active(state, command.job)
    if job is not None:
        state.pipelines[job.pipeline] = replace(state.pipelines[job.pipeline], proven=job.version)
    return Done()
