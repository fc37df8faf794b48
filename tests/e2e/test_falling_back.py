"""A new version that does not work gives way to the one before by itself, and no record is missing or there twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.nodes_kit import NodeProcess, copying, create, lines, numbered, reaches, status
from tests.waiting import comes_true, until

FUNCTIONS = """
import os
import time

def die(rows):
    os.abort()

def refuse(rows):
    raise ValueError("not like that")
"""


def worse(spec: dict[str, Any], function: str) -> dict[str, Any]:
    """The same pipeline, with one step more that does not work."""
    return {**spec, "transforms": [*spec["transforms"], {"python": f"steps:{function}"}]}


async def put(client: httpx.AsyncClient, spec: dict[str, Any]) -> None:
    (await client.put(f"/api/v1/pipelines/{spec['name']}", json=spec)).raise_for_status()


async def version(client: httpx.AsyncClient) -> int:
    return int((await client.get("/api/v1/pipelines/copy")).raise_for_status().json()["version"])


async def failures(client: httpx.AsyncClient) -> list[str]:
    jobs = (await client.get("/api/v1/pipelines/copy/jobs")).raise_for_status().json()["items"]
    return [job["error"]["code"] for job in jobs if job["state"] == "failed"]


@pytest.mark.parametrize(
    ("function", "code"), [("refuse", "transform.python.failed"), ("die", "worker.lost_repeatedly")]
)
async def test_a_version_that_fails_gives_way_to_the_one_before_which_goes_on_where_that_was(
    tmp_path: Path, function: str, code: str
) -> None:
    (tmp_path / "steps.py").write_text(FUNCTIONS)
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    flags = ("--allow-paths", tmp_path, "--allow-python", "steps")
    node = NodeProcess(tmp_path, "n1", *flags, environ={"PYTHONPATH": str(tmp_path)})
    spec = copying("copy", source, target)
    async with node.running() as client:
        await create(client, spec)
        await until(lambda: lines(target) > 200, 120)
        await put(client, worse(spec, function))
        assert await version(client) == 2
        await until(lambda: lines(target) > 1000, 120)
        assert await version(client) == 1
        assert await failures(client) == [code]
        assert (await status(client, "copy"))["fell_back_from"] == 2
        await reaches(client, "copy", "done")
    assert target.read_bytes() == source.read_bytes()


async def test_a_version_that_has_run_for_its_grace_period_is_gone_back_to_before_a_younger_one(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(FUNCTIONS)
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    flags = ("--allow-paths", tmp_path, "--allow-python", "steps")
    node = NodeProcess(tmp_path, "n1", *flags, "--version-grace", "10s", environ={"PYTHONPATH": str(tmp_path)})
    spec = copying("copy", source, target, rate=500)
    async with node.running() as client:
        await create(client, spec)

        async def proven() -> bool:
            (first,) = (await client.get("/api/v1/pipelines/copy/versions")).raise_for_status().json()["items"]
            return bool(first["proven"])

        await comes_true(proven)
        await put(client, spec | {"batch": {"max_records": 100}})
        await put(client, worse(spec, "refuse"))

        async def proven_is_back() -> bool:
            return await version(client) == 1

        await comes_true(proven_is_back)
