"""From typed values to responses: JSON, or YAML where the client would rather have it."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
import yaml
from fastapi import Request, Response
from msgspec.structs import replace

from wire.api.requests import cursor_of, revisions
from wire.api.views import Applied, Page, Pipeline

T = TypeVar("T")

_JSON: Final = "application/json"
_YAML: Final = "application/yaml"

_encode = msgspec.json.Encoder().encode


def answer(request: Request, value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response that holds `value`."""
    body = _encode(value)
    if not _wants_yaml(request.headers.get("accept", "")):
        return Response(body, status, headers, _JSON)
    tree = msgspec.json.decode(body)
    return Response(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), status, headers, _YAML)


def page(request: Request, found: Page[T]) -> Response:
    """Return a response that holds a part of a list, whose `next` is made opaque."""
    return answer(request, found if found.next is None else replace(found, next=cursor_of(found.next)))


def pipeline(request: Request, found: Pipeline, status: int = 200) -> Response:
    """Return a response that holds a pipeline, with its revision as ETag."""
    return answer(request, found, status, {"etag": _etag(found)})


def pipeline_unless_known(request: Request, found: Pipeline) -> Response:
    """Return a pipeline, or 304 and nothing where the client has that revision already."""
    known = request.headers.get("if-none-match", "").replace("W/", "").strip()
    if known == "*" or (known and found.revision in revisions(known, "header.If-None-Match")):
        return Response(status_code=304, headers={"etag": _etag(found)})
    return pipeline(request, found)


def applied(request: Request, found: Applied) -> Response:
    """Return a pipeline that was just applied; with its address, where it was made."""
    if not found.created:
        return pipeline(request, found)
    address = f"/api/v1/namespaces/{found.namespace}/pipelines/{found.name}"
    return answer(request, found, 201, {"etag": _etag(found), "location": address})


def _etag(found: Pipeline) -> str:
    return f'"{found.revision}"'


def _wants_yaml(accept: str) -> bool:
    """Say whether YAML is what the client would rather have: whichever of the two it names first."""
    kinds = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    return next((kind != _JSON for kind in kinds if kind in (_JSON, _YAML, "text/yaml", "application/x-yaml")), False)
