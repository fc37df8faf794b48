"""The API as one ASGI application, made of what stands behind it."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from msgspec import Struct

from wire.api.frame import Frame, request_id_of
from wire.api.openapi import COMPONENTS, PROBLEMS
from wire.api.pages import page_of
from wire.api.parameters import only_known
from wire.api.ports import Services
from wire.api.principals import ALWAYS_OPEN
from wire.api.problems import problem
from wire.api.requests import declared_namespace
from wire.api.routes import cluster, figures, health, metrics, pipelines, runs, taps
from wire.core.errors import ConfigError, Finding, RefusedError
from wire.core.uuids import Uuids

_PREFIX = "/api/v1"
_IN_NAMESPACE = "/api/v1/namespaces/{namespace}"
_DESCRIPTION = """\
Any node answers. What changes something is carried out by the leader and confirmed once a majority has it on disk.

Errors are problem documents (RFC 9457) with `code`, `path`, `hint` and `request_id`. Lists come in parts: pass `next`
on as `cursor`. Addresses without a namespace mean `default`.
"""


class ApiSettings(Struct, frozen=True, kw_only=True):
    """What the API says of its node, how much it takes, and whether anybody may read its metrics."""

    version: str
    served_by: str
    max_body_bytes: int = 1 << 20
    metrics_open: bool = False


class Api(FastAPI):
    """The application. Its description takes the schemas of what is answered from `wire.api.views`."""

    def openapi(self) -> dict[str, Any]:
        """Return the description, made once."""
        if self.openapi_schema is None:
            schema = super().openapi()
            schema.setdefault("components", {}).setdefault("schemas", {}).update(COMPONENTS)
        return super().openapi()


def build_app(services: Services, settings: ApiSettings, uuids: Uuids) -> FastAPI:
    """Join everything. `uuids` makes the ids of requests that have none."""
    app = Api(
        title="Wire",
        version=settings.version,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
        dependencies=[Depends(only_known)],
        generate_unique_id_function=_operation_id,
        exception_handlers={
            RequestValidationError: _misshapen,
            404: _no_such_address,
            405: _no_such_method,
        },
    )
    app.state.services = services
    app.state.max_body_bytes = settings.max_body_bytes
    app.state.uuids = uuids
    open_ = (*ALWAYS_OPEN, "/metrics") if settings.metrics_open else ALWAYS_OPEN
    app.add_middleware(Frame, version=settings.version, served_by=settings.served_by, uuids=uuids, open_=open_)
    for router in (pipelines.router, runs.pipeline_router, taps.router, figures.router):
        app.include_router(router, prefix=_PREFIX)
        app.include_router(router, prefix=_IN_NAMESPACE, dependencies=[Depends(declared_namespace)])
    app.include_router(runs.job_router, prefix=_PREFIX)
    for router in (cluster.router, cluster.node_router, health.router, metrics.router):
        app.include_router(router)
    app.add_api_route("/docs", _docs, include_in_schema=False, response_class=HTMLResponse)
    return app


def _operation_id(route: APIRoute) -> str:
    suffix = "_in_namespace" if "{namespace}" in route.path else ""
    suffix += "_health" if route.path == "/healthz" else ""
    return f"{route.name}{suffix}"


async def _docs(request: Request) -> Response:
    return HTMLResponse(page_of(request.app.openapi()))


async def _misshapen(request: Request, exc: RequestValidationError) -> Response:
    """Say what is wrong with parameters; a value is not repeated."""
    findings = [
        Finding(
            code="api.invalid",
            path=".".join(map(str, each["loc"])),
            message=str(each["msg"])[:1].lower() + str(each["msg"])[1:],
            hint="/docs describes the parameters",
        )
        for each in exc.errors()
    ]
    return problem(ConfigError(findings), request_id_of(request))


async def _no_such_address(request: Request, _: Exception) -> Response:
    message = f"there is nothing at {request.url.path}"
    return problem(
        RefusedError("api.no_such_address", message, hint="/docs lists the addresses"), request_id_of(request)
    )


async def _no_such_method(request: Request, exc: HTTPException) -> Response:
    message = f"{request.method} is not for {request.url.path}"
    error = RefusedError("api.method_not_allowed", message, hint="/docs lists the methods of each address")
    response = problem(error, request_id_of(request))
    response.headers.update(exc.headers or {})
    return response
