"""Backups over HTTP: taken at one cluster, restored into another one."""

from __future__ import annotations

from pathlib import Path

from tests.integration.api.api_kit import Served, serving, spec
from wire.cluster import commands as c
from wire.cluster.state import NodeName, PipelineKey

BACKUP = "/api/v1/cluster/backup"
FILE = {"content-type": "application/octet-stream"}


async def enabled(api: Served) -> None:
    """Let every command be proposed."""
    command = c.RegisterNode(
        at_ms=1, name=NodeName("n1"), incarnation="i", address="x:1", workers=1, newest_command=2
    )  # fmt: skip
    await api.propose(command)
    await api.propose(c.EnableCommands(at_ms=1, version=2))


async def taken(api: Served) -> bytes:
    """A backup of a cluster with two pipelines, one of which is paused, and has come somewhere."""
    await enabled(api)
    made = await api.create("a")
    await api.create("b")
    epoch = await api.run(made, "p1", "p2")
    await api.commit(made, epoch, 4, "p1", "p2")
    assert (await api.client.put("/api/v1/pipelines/a/pause")).status_code == 202
    response = await api.client.get(BACKUP)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/octet-stream")
    return response.content


async def test_pipelines_and_their_checkpoints_go_from_one_cluster_to_another(api: Served, tmp_path: Path) -> None:
    data = await taken(api)
    async with serving(tmp_path / "other") as other:
        early = await other.client.post(BACKUP, content=data, headers=FILE)
        assert (early.status_code, early.json()["code"]) == (409, "cluster.version_not_enabled")
        await enabled(other)
        answer = await other.client.post(BACKUP, content=data, headers=FILE)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["pipelines"], told["checkpoints"], told["cluster_id"]) == (2, 2, "test-cluster")
        pipelines = {each["name"]: each for each in (await other.client.get("/api/v1/pipelines")).json()["items"]}
        assert {name: each["desired"] for name, each in pipelines.items()} == {"a": "paused", "b": "running"}
        assert (pipelines["a"]["job_id"], pipelines["b"]["state"]) == (None, "starting")
        stored = (await other.client.get("/api/v1/pipelines/a/checkpoints")).json()["items"]
        assert [(each["partition"], each["seq"]) for each in stored] == [("p1", 4), ("p2", 4)]
        again = await other.client.post(BACKUP, content=data, headers=FILE)
        assert (again.status_code, again.json()["code"]) == (409, "cluster.not_empty")


async def test_what_is_damaged_or_no_backup_changes_nothing(api: Served, tmp_path: Path) -> None:
    data = bytearray(await taken(api))
    data[len(data) // 2] ^= 1
    async with serving(tmp_path / "other") as other:
        await enabled(other)
        flipped = await other.client.post(BACKUP, content=bytes(data), headers=FILE)
        assert (flipped.status_code, flipped.json()["code"]) == (422, "cluster.damaged_backup")
        words = await other.client.post(BACKUP, content=b"name: a", headers={"content-type": "application/yaml"})
        assert (words.status_code, words.json()["code"]) == (415, "api.media_type")
        assert not other.machine.state.pipelines
        assert not other.machine.state.checkpoints


async def test_a_restoring_that_fails_leaves_no_checkpoints_for_a_namesake(api: Served, tmp_path: Path) -> None:
    data = await taken(api)
    async with serving(tmp_path / "other") as other:
        await enabled(other)
        made = await other.create("z")
        await other.run(made, "p1")
        assert (await other.client.delete("/api/v1/pipelines/z")).status_code == 204  # its task still runs
        refused = await other.client.post(BACKUP, content=data, headers=FILE)
        assert (refused.status_code, refused.json()["code"]) == (409, "cluster.not_empty")
        assert not other.machine.state.checkpoints.get(PipelineKey("default", "a"))
        assert (await other.client.post("/api/v1/pipelines", json=spec("a"))).status_code == 201
