"""What becomes of pipelines: status, versions, tasks, checkpoints, jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from wire.api import answers, views
from wire.api.openapi import answers as described
from wire.api.openapi import nothing
from wire.api.requests import Asked, Asker, Fresh, Named, NamedNamespace, Paged

pipeline_router = APIRouter(tags=["runs"])
job_router = APIRouter(tags=["runs"])

Number = Annotated[int, Path(ge=1, le=2**53, description="The version's number.", examples=[3])]


@pipeline_router.get("/pipelines/{name}/status", responses=described(views.PipelineStatus, "How the pipeline is."))
async def get_status(request: Request, services: Asked, name: Named, consistency: Fresh) -> Response:
    """Get how a pipeline is."""
    return answers.answer(request, await services.runs.status(name, consistency))


@pipeline_router.get(
    "/pipelines/{name}/versions", responses=described(views.Page[views.Version], "Versions, the newest first.")
)
async def list_versions(request: Request, services: Asked, name: Named, part: Paged) -> Response:
    """List the versions that are kept."""
    return answers.page(request, await services.runs.versions(name, part))


@pipeline_router.get("/pipelines/{name}/versions/{number}", responses=described(views.VersionSpec, "The version."))
async def get_version(request: Request, services: Asked, name: Named, number: Number, consistency: Fresh) -> Response:
    """Get one version with its spec."""
    return answers.answer(request, await services.runs.version(name, number, consistency))


@pipeline_router.get("/pipelines/{name}/versions/{number}/diff", responses=described(views.Diff, "What changed."))
async def get_diff(
    request: Request,
    services: Asked,
    name: Named,
    number: Number,
    consistency: Fresh,
    before: Annotated[int, Query(ge=1, le=2**53, description="The version to compare with.", examples=[2])],
) -> Response:
    """Get what changed from another version to this one."""
    return answers.answer(request, await services.runs.diff(name, before, number, consistency))


@pipeline_router.get("/pipelines/{name}/tasks", responses=described(views.Page[views.Task], "Tasks, by job and slot."))
async def list_tasks(request: Request, services: Asked, name: Named, part: Paged) -> Response:
    """List the tasks of a pipeline, those of an older job that still run included."""
    return answers.page(request, await services.runs.tasks(name, part))


@pipeline_router.get(
    "/pipelines/{name}/checkpoints",
    responses=described(views.Page[views.Checkpoint], "Checkpoints, by source and partition."),
)
async def list_checkpoints(request: Request, services: Asked, name: Named, part: Paged) -> Response:
    """List where each partition goes on after a restart, also of a pipeline that was deleted and has left that."""
    return answers.page(request, await services.runs.checkpoints(name, part))


@pipeline_router.delete(
    "/pipelines/{name}/checkpoints",
    responses={
        **described(views.Pipeline, "The positions are forgotten."),
        **nothing("What a pipeline has left that was deleted is forgotten."),
    },
)
async def reset_checkpoints(request: Request, services: Asked, name: Named, by: Asker) -> Response:
    """Forget where a stopped pipeline had come to: it begins anew when it is started.

    Or forget what was kept of one that was deleted: one that is given the same name begins anew.
    """
    found = await services.pipelines.reset_positions(name, by)
    return Response(status_code=204) if found is None else answers.pipeline(request, found)


@pipeline_router.get(
    "/checkpoints",
    responses=described(views.Page[views.KeptCheckpoints], "Pipelines that are gone, by name."),
)
async def list_kept_checkpoints(request: Request, services: Asked, namespace: NamedNamespace, part: Paged) -> Response:
    """List the pipelines that were deleted and whose checkpoints are kept."""
    return answers.page(request, await services.runs.kept(namespace, part))


@pipeline_router.get("/pipelines/{name}/jobs", responses=described(views.Page[views.Job], "Jobs, the newest first."))
async def list_pipeline_jobs(request: Request, services: Asked, name: Named, part: Paged) -> Response:
    """List the jobs of a pipeline."""
    return answers.page(request, await services.runs.jobs(name, part))


@job_router.get("/jobs", responses=described(views.Page[views.Job], "Jobs, the newest first."))
async def list_jobs(request: Request, services: Asked, part: Paged) -> Response:
    """List the jobs of all pipelines."""
    return answers.page(request, await services.runs.jobs(None, part))


@job_router.get("/jobs/{id}", responses=described(views.Job, "The job."))
async def get_job(
    request: Request, services: Asked, id: Annotated[str, Path(description="A UUIDv7.")], consistency: Fresh
) -> Response:
    """Get a job."""
    return answers.answer(request, await services.runs.job(id, consistency))
