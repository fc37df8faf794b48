"""A node that dies, freezes, restarts or has a full disk under a running `wire run`: it goes on, nothing is lost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import rows, start
from tests.services.elasticsearch import ElasticsearchServer

pytestmark = [pytest.mark.elasticsearch, pytest.mark.slow, pytest.mark.timeout(600)]

COUNT = 30_000
BAD = range(7, COUNT, 1000)
DEADLINE_S = 180


def spec(server: ElasticsearchServer, index: str, **config: Any) -> dict[str, Any]:
    return {
        "name": "outage",
        "source": {"type": "file", "config": {"path": "in.jsonl"}},
        "transforms": [{"filter": "n >= 0"}],
        "sink": {"type": "elasticsearch", "config": {"url": server.url, "index": index, "timeout": "2s", **config}},
        "batch": {"max_records": 100},
        "retry": {"initial": "100ms", "max": "500ms"},
        "checkpoint": {"interval": "100ms"},
        "on_error": {"policy": "dead_letter", "sink": {"type": "file", "config": {"path": "dead.jsonl"}}},
    }


async def said(process: asyncio.subprocess.Process, word: str) -> None:
    """Wait until the process says something on standard error."""
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_S):
        while word not in (line := (await process.stderr.readline()).decode()):
            assert line, "it has ended"


async def under_way(server: ElasticsearchServer, index: str) -> None:
    """Wait until some documents are there."""
    async with asyncio.timeout(DEADLINE_S):
        while not (await server.request("GET", f"/{index}/_stats/indexing"))["_all"]["total"]["indexing"][
            "index_total"
        ]:
            await asyncio.sleep(0.01)


async def befall(server: ElasticsearchServer, index: str, kind: str, process: asyncio.subprocess.Process) -> None:
    match kind:
        case "kill":
            server.kill()
            await said(process, "sink retry")
            await server.start()
        case "restart":
            await server.restart()
        case "freeze":
            server.pause()
            await said(process, "sink retry")
            server.resume()
        case "full disk":
            await server.block_writes(index)
            await said(process, "sink retry")
            await server.allow_writes(index)


@pytest.mark.parametrize("kind", ["kill", "restart", "freeze", "full disk"])
async def test_writing_goes_on_and_counts_are_exact(
    own_elasticsearch: ElasticsearchServer, tmp_path: Path, kind: str
) -> None:
    index = await own_elasticsearch.create_index({"properties": {"n": {"type": "long"}, "v": {"type": "long"}}})
    values = ({"n": n, "v": "bad" if n in BAD else n} for n in range(COUNT))
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(value)}\n" for value in values))
    (tmp_path / "pipeline.yaml").write_text(json.dumps(spec(own_elasticsearch, index)))
    process = await start("run", "pipeline.yaml", "--until-eof", cwd=tmp_path)
    try:
        await under_way(own_elasticsearch, index)
        await befall(own_elasticsearch, index, kind, process)
        async with asyncio.timeout(DEADLINE_S):
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    found = [document["n"] for document in (await own_elasticsearch.documents(index)).values()]
    assert sorted(found) == [n for n in range(COUNT) if n not in BAD]
    assert sorted(json.loads(letter["value"])["n"] for letter in rows(tmp_path / "dead.jsonl")) == list(BAD)
