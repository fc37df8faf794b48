"""The description of the API: every route there is meant to be, examples that fit their schemas, a page to read."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from tests.integration.api.api_kit import Served
from wire.api.openapi import COMPONENTS, EXAMPLES, example_of, schema_of

IN_NAMESPACE = """\
GET    /checkpoints
GET    /metrics
GET    /pipelines
POST   /pipelines
DELETE /pipelines/{name}
GET    /pipelines/{name}
PUT    /pipelines/{name}
DELETE /pipelines/{name}/checkpoints
GET    /pipelines/{name}/checkpoints
GET    /pipelines/{name}/jobs
GET    /pipelines/{name}/metrics
PUT    /pipelines/{name}/pause
PUT    /pipelines/{name}/restart
PUT    /pipelines/{name}/resume
POST   /pipelines/{name}/rollback
PUT    /pipelines/{name}/start
GET    /pipelines/{name}/status
PUT    /pipelines/{name}/stop
GET    /pipelines/{name}/tap
GET    /pipelines/{name}/tasks
GET    /pipelines/{name}/versions
GET    /pipelines/{name}/versions/{number}
GET    /pipelines/{name}/versions/{number}/diff
"""
OTHERS = """\
GET    /api/v1/cluster
GET    /api/v1/cluster/backup
POST   /api/v1/cluster/backup
POST   /api/v1/cluster/members
DELETE /api/v1/cluster/members/{id}
PUT    /api/v1/cluster/members/{id}/drain
POST   /api/v1/cluster/members/{id}/leave
PUT    /api/v1/cluster/members/{id}/undrain
POST   /api/v1/cluster/snapshots
GET    /api/v1/cluster/tokens
POST   /api/v1/cluster/tokens
DELETE /api/v1/cluster/tokens/{id}
POST   /api/v1/cluster/transfer-leadership
GET    /api/v1/jobs
GET    /api/v1/jobs/{id}
GET    /healthz
GET    /livez
GET    /metrics
GET    /nodes
GET    /readyz
GET    /status
"""


def rows(table: str, prefix: str = "") -> set[tuple[str, str]]:
    return {(method, prefix + path) for method, path in (line.split() for line in table.splitlines())}


async def described(api: Served) -> dict[str, Any]:
    response = await api.client.get("/openapi.json")
    assert response.status_code == 200
    return dict(response.json())


async def test_the_routes_are_those_of_the_contract(api: Served) -> None:
    description = await described(api)
    found = {
        (method.upper(), path.replace(":path}", "}")) for path, item in description["paths"].items() for method in item
    }
    expected = rows(OTHERS) | rows(IN_NAMESPACE, "/api/v1") | rows(IN_NAMESPACE, "/api/v1/namespaces/{namespace}")
    assert found == expected


async def test_each_route_says_what_it_does_and_has_a_name_of_its_own(api: Served) -> None:
    description = await described(api)
    operations = [operation for item in description["paths"].values() for operation in item.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        assert operation["description"], operation["operationId"]
        assert {"4XX", "5XX"} <= operation["responses"].keys()
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (operation["operationId"], parameter["name"])


@pytest.mark.parametrize("kind", list(EXAMPLES), ids=str)
def test_each_example_is_one_of_what_it_stands_for(kind: Any) -> None:
    schema = {**schema_of(kind), "components": {"schemas": COMPONENTS}}
    jsonschema.Draft202012Validator(schema).validate(example_of(kind))


async def test_every_schema_that_is_named_is_there(api: Served) -> None:
    description = await described(api)
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', str(description).replace("'", '"')))
    assert named
    assert named <= description["components"]["schemas"].keys()


async def test_the_page_for_people_needs_nothing_from_elsewhere(api: Served) -> None:
    response = await api.client.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "/api/v1/pipelines/{name}/rollback" in response.text
    assert not re.findall(r"(?:src|href)=\"(?!/)", response.text)
    assert "<script" not in response.text
