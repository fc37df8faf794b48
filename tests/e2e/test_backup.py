"""A cluster is lost as a whole, and its pipelines go on in another one from where the backup had them."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess, copying, create, endless, lines, numbered, reaches
from tests.waiting import comes_true, until

BACKUP = "/api/v1/cluster/backup"
FILE = {"content-type": "application/octet-stream"}


async def test_pipelines_go_on_from_the_checkpoints_of_the_backup_in_a_new_cluster(tmp_path: Path) -> None:
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    old, new = (NodeProcess(tmp_path, name, "--allow-paths", tmp_path) for name in ("n1", "n2"))
    async with old.running() as client:
        await create(client, copying("copy", source, target))
        await create(client, endless("paused"))
        (await client.put("/api/v1/pipelines/paused/pause")).raise_for_status()
        await until(lambda: lines(target) > 500, DEADLINE_S)
        data = (await client.get(BACKUP)).raise_for_status().content
        seen = lines(target)
        await until(lambda: lines(target) > seen + 500, DEADLINE_S)  # what the backup does not know of
    async with new.running() as client:

        async def restored() -> bool:
            answer = await client.post(BACKUP, content=data, headers=FILE)
            waits = answer.status_code == 409 and answer.json()["code"] == "cluster.version_not_enabled"
            assert waits or answer.status_code == 200, answer.text
            return answer.status_code == 200

        await comes_true(restored, DEADLINE_S)
        assert await position(client) > 0
        await reaches(client, "copy", "done")
        await reaches(client, "paused", "paused")
    assert target.read_bytes() == source.read_bytes()


async def position(client: httpx.AsyncClient) -> int:
    """The count of the checkpoints that the pipeline had come to."""
    found = (await client.get("/api/v1/pipelines/copy/checkpoints")).raise_for_status().json()["items"]
    return max((int(each["seq"]) for each in found), default=0)
