"""Query parameters that an address does not know are refused: a misspelt `dry_run` would be no dry run."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from wire.core.config import suggest
from wire.core.errors import ConfigError, Finding


async def only_known(request: Request) -> None:
    """Raise ConfigError for every query parameter that the description of the route does not have."""
    if not request.query_params:
        return
    known = _known(request.app.openapi()).get(request.scope["endpoint"].__name__, [])
    findings = [
        Finding(
            code="api.invalid",
            path=f"query.{name}",
            message="there is no such parameter here",
            hint=suggest(name, known)
            or (f"known here: {', '.join(sorted(known))}" if known else "there are none here"),
        )
        for name in dict.fromkeys(request.query_params)
        if name not in known
    ]
    if findings:
        raise ConfigError(findings)


def _known(description: dict[str, Any]) -> dict[str, list[str]]:
    """Return the query parameters of each operation by its id, which is the name of the function that answers."""
    return {
        operation["operationId"]: [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
        for item in description["paths"].values()
        for operation in item.values()
    }
