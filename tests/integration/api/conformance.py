"""Holds every answer that a test gets to the description of the API."""

from __future__ import annotations

import os
import re
from typing import Any, cast

import httpx
import jsonschema

from wire.api.app import ApiSettings, build_app
from wire.core.clock import SystemClock
from wire.core.uuids import Uuids

DESCRIPTION = build_app(
    cast(Any, None), ApiSettings(version="1", served_by="n1"), Uuids(SystemClock(), os.urandom)
).openapi()  # what stands behind the routes is not needed to describe them
_PATHS = [
    (re.compile(re.sub(r"\{\w+\}", ".+" if "/members/" in path else "[^/]+", path)), item)  # ids of nodes have a slash
    for path, item in DESCRIPTION["paths"].items()
]
_PROBLEM = "application/problem+json"


async def assert_described(response: httpx.Response) -> None:
    """Fail unless the description says that this may be answered to what was asked."""
    if response.request.url.path in ("/docs", "/openapi.json"):
        return
    await response.aread()
    kind = response.headers.get("content-type", "").partition(";")[0]
    schema = _schema(response, kind)
    if kind not in ("application/json", _PROBLEM):
        return
    whole = {**schema, "components": DESCRIPTION["components"]}
    jsonschema.Draft202012Validator(whole).validate(response.json())


def _schema(response: httpx.Response, kind: str) -> dict[str, Any]:
    method, path = response.request.method.lower(), response.request.url.path
    item = next((item for pattern, item in _PATHS if method in item and pattern.fullmatch(path)), {})
    status = str(response.status_code)
    if method not in item:
        assert status in ("404", "405"), f"{method} {path} is not described"
        return {"$ref": "#/components/schemas/Problem"}
    described = item[method]["responses"]
    found = described.get(status) or described.get(f"{status[0]}XX")
    assert found is not None, f"{method} {path} answers {status}"
    if not response.content:
        assert "application/x-ndjson" in found.get("content", ["application/x-ndjson"])  # no lines are as good as some
        return {}
    assert kind in found["content"], f"{method} {path} answers {kind}"
    schema: dict[str, Any] = found["content"][kind]["schema"]
    return schema
