"""Pipelines: their versions, and what is desired of them."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from wire.cluster import checkpoints, jobs, tasks, trail
from wire.cluster.commands import (
    Applied,
    ApplyFilePipeline,
    ApplyPipeline,
    DeletePipeline,
    Done,
    ForgetCheckpoints,
    Refused,
    ResetPositions,
    RestartPipeline,
    RollBack,
    SetDesired,
)
from wire.cluster.state import HOMES, JobId, Pipeline, PipelineKey, PipelineVersion, State

MAX_VERSIONS: Final = 50
"""Enough to go back to; each holds a whole spec. The current and the proven one are kept whatever their age."""


def apply(state: State, index: int, command: ApplyPipeline) -> Applied | Refused:
    """Create a pipeline or give it a new version."""
    refusal = _guarded(state, command.key, command.if_revision)
    if refusal is not None:
        return refusal
    version = PipelineVersion(
        number=1,
        spec=command.spec,
        created_ms=state.now_ms,
        author=command.actor,
        note=command.note,
        parallelism=command.parallelism,
        weight=command.weight,
        node_selector=command.node_selector,
        keeps_files=isinstance(command, ApplyFilePipeline) if state.command_version >= HOMES else None,
    )
    return _give(state, index, command, version)


def roll_back(state: State, index: int, command: RollBack) -> Applied | Refused:
    """Give a pipeline an old version anew."""
    refusal = _guarded(state, command.key, command.if_revision)
    if refusal is not None:
        return refusal
    pipeline = state.pipelines.get(command.key)
    if pipeline is None:
        return _unknown(command.key)
    old = pipeline.version(command.to)
    if old is None:
        return Refused(
            code="cluster.unknown_version",
            message=f"{_name(command.key)} has no version {command.to}",
            hint=f"the last {MAX_VERSIONS} versions are kept",
        )
    note = f"as version {command.to}"
    return _give(state, index, command, replace(old, created_ms=state.now_ms, author=command.actor, note=note))


def set_desired(state: State, index: int, command: SetDesired) -> Applied | Refused:
    """Pause, stop or run."""
    pipeline = state.pipelines.get(command.key)
    if pipeline is None:
        return _unknown(command.key)
    begins = command.desired == "running" and jobs.active(state, pipeline.job) is None
    if pipeline.desired == command.desired and not begins:
        return _unchanged(pipeline)
    if begins and command.job in state.jobs:
        return _taken(command.job)
    if command.desired == "paused" and pipeline.job is not None:
        tasks.hold(state, pipeline.job)
    if command.desired == "stopped":
        jobs.end(state, pipeline.job)
        pipeline = replace(pipeline, job=None)
    state.pipelines[command.key] = replace(pipeline, revision=index, desired=command.desired, updated_ms=state.now_ms)
    if begins:
        jobs.begin(state, command.key, command.job)
    trail.record(state, index, command, _name(command.key), command.desired)
    return _answer(state.pipelines[command.key])


def restart(state: State, index: int, command: RestartPipeline) -> Applied | Refused:
    """Begin another job."""
    pipeline = state.pipelines.get(command.key)
    if pipeline is None:
        return _unknown(command.key)
    if command.job in state.jobs:
        return _taken(command.job)
    jobs.end(state, pipeline.job)
    state.pipelines[command.key] = replace(pipeline, revision=index, desired="running", updated_ms=state.now_ms)
    jobs.begin(state, command.key, command.job)
    trail.record(state, index, command, _name(command.key))
    return _answer(state.pipelines[command.key])


def delete(state: State, index: int, command: DeletePipeline) -> Done | Refused:
    """Forget a pipeline; what still runs of it is forgotten when it is released."""
    refusal = _guarded(state, command.key, command.if_revision)
    if refusal is not None:
        return refusal
    pipeline = state.pipelines.get(command.key)
    if pipeline is None:
        return _unknown(command.key)
    jobs.end(state, pipeline.job)
    del state.pipelines[command.key]
    jobs.forget_old(state, command.key)
    detail = ""
    if command.keep_checkpoints:
        given_up = map(_name, checkpoints.keep(state, command.key, command.actor, pipeline.home))
        detail = "; ".join(["its checkpoints are kept", *(f"those of {name} no longer" for name in given_up)])
    else:
        checkpoints.forget(state, command.key)
    trail.record(state, index, command, _name(command.key), detail)
    return Done()


def reset_positions(state: State, index: int, command: ResetPositions) -> Applied | Refused:
    """Let a pipeline begin anew when it is started again."""
    pipeline = state.pipelines.get(command.key)
    if pipeline is None:
        return _unknown(command.key)
    if pipeline.desired != "stopped":
        return Refused(
            code="cluster.pipeline_not_stopped",
            message=f"the positions of {_name(command.key)} can't be reset while it is {pipeline.desired}",
            hint="stop it first",
        )
    checkpoints.forget(state, command.key)
    after = replace(pipeline, revision=index, generation=pipeline.generation + 1, updated_ms=state.now_ms, home=None)
    state.pipelines[command.key] = after
    trail.record(state, index, command, _name(command.key), f"generation {after.generation}")
    return _answer(after)


def forget_checkpoints(state: State, index: int, command: ForgetCheckpoints) -> Done | Refused:
    """Forget what a pipeline has left."""
    if command.key in state.pipelines:
        return Refused(
            code="cluster.pipeline_exists",
            message=f"there is a pipeline {_name(command.key)}",
            hint="stop it, and reset its positions",
        )
    if command.key not in state.checkpoints:
        return Refused(
            code="cluster.unknown_pipeline",
            message=f"there is no pipeline {_name(command.key)}, and no checkpoints of one that was deleted",
        )
    checkpoints.forget(state, command.key)
    trail.record(state, index, command, _name(command.key))
    return Done()


def _give(state: State, index: int, command: ApplyPipeline | RollBack, version: PipelineVersion) -> Applied | Refused:
    """Make `version`, under the next number, the current one, and begin a job of it if one is to run."""
    key = command.key
    before = state.pipelines.get(key)
    if before is not None and before.current_version.spec == version.spec:
        says_more = version.keeps_files and not before.current_version.keeps_files
        if not says_more:
            return _unchanged(before)
    runs = before is None or before.desired == "running"
    if runs and command.job in state.jobs:
        return _taken(command.job)
    if before is not None:
        jobs.end(state, before.job)
        version = replace(version, number=before.versions[-1].number + 1)
    after = _with_version(state, index, key, version)
    if not command.keeps_positions:
        # nothing to fall back to: an older version would begin where this one's source is, or anew
        checkpoints.forget(state, key)
        after = replace(after, generation=after.generation + 1, proven=None, home=None)
    state.pipelines[key] = after
    if runs:
        jobs.begin(state, key, command.job)
    trail.record(state, index, command, _name(key), f"version {version.number}")
    return _answer(state.pipelines[key], created=before is None)


def _with_version(state: State, index: int, key: PipelineKey, version: PipelineVersion) -> Pipeline:
    before = state.pipelines.get(key)
    if before is None:
        left = state.kept.pop(key, None)
        return Pipeline(
            key=key,
            revision=index,
            versions=(version,),
            current=version.number,
            proven=None,
            desired="running",
            job=None,
            generation=checkpoints.first_generation(state, key),
            created_ms=state.now_ms,
            updated_ms=state.now_ms,
            home=left.home if left is not None else None,
        )
    dispensable = [each.number for each in before.versions if each.number != before.proven]
    dropped = dispensable[: max(len(before.versions) + 1 - MAX_VERSIONS, 0)]
    kept = tuple(each for each in before.versions if each.number not in dropped)
    return replace(
        before, revision=index, versions=(*kept, version), current=version.number, job=None, updated_ms=state.now_ms
    )


def _guarded(state: State, key: PipelineKey, if_revision: int | None) -> Refused | None:
    pipeline = state.pipelines.get(key)
    revision = pipeline.revision if pipeline is not None else 0
    if if_revision is None or if_revision == revision:
        return None
    if if_revision == 0:
        return Refused(code="cluster.pipeline_exists", message=f"there is a pipeline {_name(key)} already")
    return Refused(
        code="cluster.revision_changed",
        message=f"{_name(key)} is at revision {revision}, not {if_revision}"
        if pipeline is not None
        else f"there is no pipeline {_name(key)} any more",
        hint="look at what it is now, and decide again",
    )


def _answer(pipeline: Pipeline, *, created: bool = False, changed: bool = True) -> Applied:
    return Applied(
        revision=pipeline.revision,
        version=pipeline.current,
        desired=pipeline.desired,
        job=pipeline.job,
        created=created,
        changed=changed,
    )


def _unchanged(pipeline: Pipeline) -> Applied:
    return _answer(pipeline, changed=False)


def _unknown(key: PipelineKey) -> Refused:
    return Refused(code="cluster.unknown_pipeline", message=f"there is no pipeline {_name(key)}")


def _taken(job: JobId) -> Refused:
    return Refused(code="cluster.duplicate_job", message=f"there is a job {job} already")


def _name(key: PipelineKey) -> str:
    return "/".join(key)
