"""What many tasks of a node commit, counted in the log of its cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess, create, numbered
from tests.e2e.test_three_nodes import places
from tests.waiting import comes_true
from wire.node.supervisor import WorkerSettings

PIPELINES = [f"p{number}" for number in range(8)]
TASKS_OF_EACH = 5
COMMITS_OF_EACH = 10


def many_tasks(name: str, folder: Path) -> dict[str, Any]:
    """A pipeline of several tasks, each of which has something to commit all the time."""
    return {
        "name": name,
        "source": {"type": "file", "config": {"path": str(folder / "*.jsonl")}},
        "transforms": [{"rate_limit": {"rate": 50}}],
        "sink": {"type": "drop"},
        "checkpoint": {"interval": "200ms"},
        "parallelism": TASKS_OF_EACH,
    }


async def commits(client: httpx.AsyncClient) -> dict[str, int]:
    """How often each partition of each pipeline was committed."""
    found: dict[str, int] = {}
    for name in PIPELINES:
        answer = await client.get(f"/api/v1/pipelines/{name}/checkpoints", params={"consistency": "stale"})
        for each in answer.raise_for_status().json()["items"]:
            found[f"{name} {each['partition']}"] = int(each["seq"])
    return found


async def committed(client: httpx.AsyncClient) -> int:
    """How many entries the log of the cluster has."""
    return int((await client.get("/status")).raise_for_status().json()["consensus"]["commit_index"])


@pytest.mark.slow
async def test_a_node_makes_one_entry_of_what_its_tasks_commit_in_an_interval_however_many_they_are(
    tmp_path: Path,
) -> None:
    for number in range(TASKS_OF_EACH):
        numbered(tmp_path / f"{number}.jsonl", 20_000)
    node = NodeProcess(tmp_path, "n1", "--allow-paths", tmp_path)
    async with node.running() as client:
        for name in PIPELINES:
            await create(client, many_tasks(name, tmp_path))

        async def all_commit(times: int) -> bool:
            found = (await commits(client)).values()
            return len(found) == len(PIPELINES) * TASKS_OF_EACH and min(found) >= times

        await comes_true(lambda: all_commit(1), DEADLINE_S)
        assert await places(client, *PIPELINES) == {"n1": len(PIPELINES) * (TASKS_OF_EACH + 1)}  # one of them discovers
        began_s, entries, before = time.monotonic(), await committed(client), await commits(client)
        await comes_true(lambda: all_commit(max(before.values()) + COMMITS_OF_EACH), DEADLINE_S)
        after, entries = await commits(client), await committed(client) - entries
        intervals = (time.monotonic() - began_s) / WorkerSettings(count=1).commit_interval.s
    made = sum(after[each] - before[each] for each in before)
    assert made >= len(before) * COMMITS_OF_EACH
    assert entries <= intervals + 1 + len(PIPELINES)  # each of them is said to be proven, at some time
    assert entries < made / 2
