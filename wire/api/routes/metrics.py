"""What this node has counted, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from wire.api.openapi import plain
from wire.api.requests import Asked

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    responses=plain(
        "Metrics of the node and its workers, as Prometheus reads them.", 200, "application/openmetrics-text"
    ),
)
async def get_metrics(request: Request, services: Asked) -> Response:
    """Get the metrics of the answering node, those of its workers included."""
    found = await services.metrics.text(request.headers.get("accept", ""))
    return Response(found.body, media_type=found.media_type)
