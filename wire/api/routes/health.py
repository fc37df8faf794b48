"""Whether this node lives and is ready, for whoever watches over it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from wire.api.openapi import plain
from wire.api.requests import Asked, flag

router = APIRouter(tags=["health"])


@router.get("/livez", responses=plain("The node answers."))
@router.get("/healthz", responses=plain("The node answers."))
async def live() -> Response:
    """Say that this node answers."""
    return Response("ok\n", media_type="text/plain")


@router.get(
    "/readyz",
    responses={**plain("Everything the node needs is there."), **plain("Something is not there; it says what.", 503)},
)
async def ready(
    services: Asked,
    sync: Annotated[str | None, Query(description="Also wait for all that is confirmed to have arrived here.")] = None,
) -> Response:
    """Say whether this node can do its work, a line for each thing it needs. Pipelines in trouble do not count."""
    checks = await services.health.ready(sync=flag(sync, "sync"))
    lines = "".join(check.line for check in checks)
    return Response(lines, 200 if all(check.ok for check in checks) else 503, media_type="text/plain")
