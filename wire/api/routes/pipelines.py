"""Pipelines: their definitions, and what is desired of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from wire.api import answers, views
from wire.api.openapi import SPEC_BODY, body, nothing
from wire.api.openapi import answers as described
from wire.api.requests import (
    Asked,
    Asker,
    AskerWithBody,
    Body,
    Changed,
    DryRun,
    Fresh,
    Guarded,
    Named,
    NamedNamespace,
    Paged,
    RollBackBody,
    Start,
    Submitted,
    fields,
    flag,
)

router = APIRouter(tags=["pipelines"])

KeepCheckpoints = Annotated[
    str | None, Query(description="Keep where it had come to, for a pipeline that is given the same name.")
]


@router.get("/pipelines", responses=described(views.Page[views.Pipeline], "Pipelines, by name."))
async def list_pipelines(request: Request, services: Asked, namespace: NamedNamespace, part: Paged) -> Response:
    """List pipelines."""
    return answers.page(request, await services.pipelines.page(namespace, part))


@router.post(
    "/pipelines",
    status_code=201,
    responses={
        **described(views.Applied, "The pipeline was made.", 201),
        **described(views.Plan, "With `dry_run`: what would be made."),
    },
    openapi_extra=SPEC_BODY,
)
async def create_pipeline(
    request: Request,
    services: Asked,
    namespace: NamedNamespace,
    submission: Submitted,
    by: AskerWithBody,
    guard: Guarded,
    dry_run: DryRun = None,
) -> Response:
    """Make a pipeline and let it run. Refused where there is one of that name."""
    if flag(dry_run, "dry_run"):
        return answers.answer(request, await services.pipelines.plan(namespace, None, submission, guard))
    return answers.applied(request, await services.pipelines.create(namespace, submission, guard, by))


@router.get(
    "/pipelines/{name}",
    responses={
        **described(views.Pipeline, "The pipeline."),
        **nothing("The client has it already: its If-None-Match names the ETag.", 304),
    },
)
async def get_pipeline(request: Request, services: Asked, name: Named, consistency: Fresh) -> Response:
    """Get a pipeline."""
    return answers.pipeline_unless_known(request, await services.pipelines.get(name, consistency))


@router.put(
    "/pipelines/{name}",
    responses={
        **described(
            views.Applied, "It has a new version, or is the same as before. With `dry_run`: a plan.", 200, views.Plan
        ),
        **described(views.Applied, "The pipeline was made.", 201),
    },
    openapi_extra=SPEC_BODY,
)
async def apply_pipeline(
    request: Request,
    services: Asked,
    name: Named,
    submission: Changed,
    by: AskerWithBody,
    guard: Guarded,
    dry_run: DryRun = None,
) -> Response:
    """Make a pipeline, or give it a new version, which takes over where the one before had come to.

    With `dry_run` nothing changes, and the answer says what would.
    """
    if flag(dry_run, "dry_run"):
        return answers.answer(request, await services.pipelines.plan(name.namespace, name.name, submission, guard))
    return answers.applied(request, await services.pipelines.apply(name, submission, guard, by))


@router.delete("/pipelines/{name}", status_code=204, responses=nothing("The pipeline is gone."))
async def delete_pipeline(
    services: Asked, name: Named, by: Asker, guard: Guarded, keep_checkpoints: KeepCheckpoints = None
) -> Response:
    """Delete a pipeline: its job ends, and where it had come to is forgotten."""
    keep = flag(keep_checkpoints, "keep_checkpoints")
    await services.pipelines.delete(name, guard, by, keep_checkpoints=keep)
    return Response(status_code=204)


@router.put("/pipelines/{name}/pause", status_code=202, responses=described(views.Pipeline, "It is to pause.", 202))
async def pause_pipeline(request: Request, services: Asked, name: Named, by: Asker) -> Response:
    """Pause: the job stays, and goes on where it was when it is resumed."""
    return answers.pipeline(request, await services.pipelines.set_desired(name, "paused", by), 202)


@router.put("/pipelines/{name}/resume", status_code=202, responses=described(views.Pipeline, "It is to run.", 202))
async def resume_pipeline(request: Request, services: Asked, name: Named, by: Asker) -> Response:
    """Let a pipeline run: a paused job goes on, otherwise another one begins."""
    return answers.pipeline(request, await services.pipelines.set_desired(name, "running", by), 202)


@router.put("/pipelines/{name}/stop", status_code=202, responses=described(views.Pipeline, "It is to stop.", 202))
async def stop_pipeline(request: Request, services: Asked, name: Named, by: Asker) -> Response:
    """Stop: the job ends. Started again, a new one goes on from the checkpoints."""
    return answers.pipeline(request, await services.pipelines.set_desired(name, "stopped", by), 202)


@router.put("/pipelines/{name}/start", status_code=202, responses=described(views.Pipeline, "It is to run.", 202))
async def start_pipeline(request: Request, services: Asked, name: Named, by: Asker) -> Response:
    """Let a pipeline run: the same as to resume it."""
    return answers.pipeline(request, await services.pipelines.set_desired(name, "running", by), 202)


@router.put("/pipelines/{name}/restart", status_code=202, responses=described(views.Pipeline, "It restarts.", 202))
async def restart_pipeline(request: Request, services: Asked, name: Named, by: Asker) -> Response:
    """End the job and begin another one, which goes on from the checkpoints."""
    return answers.pipeline(request, await services.pipelines.restart(name, by), 202)


@router.post(
    "/pipelines/{name}/rollback",
    responses=described(views.Pipeline, "The older version's spec is current, as a new version."),
    openapi_extra=body({"version": {"type": "integer", "minimum": 1}}, {"version": 2}, "version"),
)
async def roll_back_pipeline(
    request: Request,
    services: Asked,
    name: Named,
    sent: Body,
    by: AskerWithBody,
    guard: Guarded,
    start: Start = None,
) -> Response:
    """Make an older version the current one, as a new version."""
    to = fields(sent, RollBackBody).version
    return answers.pipeline(request, await services.pipelines.roll_back(name, to, start, guard, by))
