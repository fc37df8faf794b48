"""What has become of the records of pipelines, from all nodes that run their tasks."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from wire.api import answers, views
from wire.api.openapi import answers as described
from wire.api.requests import Asked, Fresh, Named, NamedNamespace, Paged

router = APIRouter(tags=["runs"])


@router.get("/metrics", responses=described(views.Page[views.PipelineFigures], "What was counted, by pipeline."))
async def list_figures(request: Request, services: Asked, namespace: NamedNamespace, part: Paged) -> Response:
    """List what has become of the records of all pipelines. Two answers make rates: by node, over its `uptime_ms`."""
    return answers.page(request, await services.figures.page(namespace, part))


@router.get("/pipelines/{name}/metrics", responses=described(views.PipelineFigures, "What was counted."))
async def get_figures(request: Request, services: Asked, name: Named, consistency: Fresh) -> Response:
    """Get what has become of a pipeline's records. Two answers make a rate: by node, over its `uptime_ms`."""
    return answers.answer(request, await services.figures.of(name, consistency))
