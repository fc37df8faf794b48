"""What a pipeline does, step by step: tasks, checkpoints, jobs and states, as workers and operators change them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.api_kit import Served, spec
from wire.cluster import commands as c
from wire.cluster.encoding import NEWEST
from wire.cluster.state import Error, JobId, NodeName, TaskKey

A = "/api/v1/pipelines/a"
KEPT = "/api/v1/checkpoints"


async def state_of(api: Served) -> tuple[str, str]:
    body = (await api.client.get(f"{A}/status")).json()
    assert body["state"] == (await api.client.get(A)).json()["state"]
    return body["desired"], body["state"]


async def release(api: Served) -> None:
    """Let the workers give up what they run."""
    tasks = tuple((task.key, task.epoch) for task in api.machine.state.tasks.values() if task.owner)
    await api.propose(c.ReleaseTasks(at_ms=1, tasks=tasks))


async def fail(api: Served, pipeline: dict[str, Any], epoch: int, fallback: str = "f") -> None:
    error = Error(code="sink.file.disk_full", message="no room", hint="make some")
    key = TaskKey(JobId(pipeline["job_id"]), 0)
    await api.propose(c.FailTask(at_ms=1, key=key, epoch=epoch, error=error, fallback=JobId(fallback)))


async def test_a_pipeline_starts_runs_pauses_and_stops(api: Served) -> None:
    made = await api.create("a")
    assert await state_of(api) == ("running", "starting")
    await api.run(made, "p0", "p1")
    assert await state_of(api) == ("running", "running")
    paused = await api.client.put(f"{A}/pause")
    assert (paused.status_code, paused.json()["desired"], paused.json()["job_id"]) == (202, "paused", made["job_id"])
    assert await state_of(api) == ("paused", "pausing")
    await release(api)
    assert await state_of(api) == ("paused", "paused")
    resumed = await api.client.put(f"{A}/resume")
    assert (resumed.status_code, resumed.json()["job_id"]) == (202, made["job_id"])
    assert await state_of(api) == ("running", "starting")
    stopped = await api.client.put(f"{A}/stop")
    assert (stopped.status_code, stopped.json()["job_id"]) == (202, None)
    assert await state_of(api) == ("stopped", "stopped")
    started = await api.client.put(f"{A}/start")
    assert started.json()["job_id"] not in (None, made["job_id"])
    assert await state_of(api) == ("running", "starting")


async def test_a_stopped_pipeline_is_stopping_until_nobody_runs_it(api: Served) -> None:
    await api.run(await api.create("a"), "p0")
    await api.client.put(f"{A}/stop")
    assert await state_of(api) == ("stopped", "stopping")
    await release(api)
    assert await state_of(api) == ("stopped", "stopped")


@pytest.mark.parametrize("verb", ["pause", "resume", "stop", "start"])
async def test_asking_for_what_is_so_already_changes_nothing(api: Served, verb: str) -> None:
    await api.create("a")
    first = await api.client.put(f"{A}/{verb}")
    again = await api.client.put(f"{A}/{verb}")
    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.headers["etag"], again.json()["job_id"]) == (first.headers["etag"], first.json()["job_id"])


async def test_a_restart_begins_another_job(api: Served) -> None:
    made = await api.create("a")
    restarted = await api.client.put(f"{A}/restart")
    assert (restarted.status_code, restarted.json()["version"]) == (202, 1)
    assert restarted.json()["job_id"] != made["job_id"]
    jobs = (await api.client.get(f"{A}/jobs")).json()["items"]
    assert [(each["id"], each["state"]) for each in jobs] == [
        (restarted.json()["job_id"], "active"),
        (made["job_id"], "ended"),
    ]


async def test_tasks_tell_who_runs_them_under_which_epoch(api: Served) -> None:
    made = await api.create("a")
    epoch = await api.run(made, "p0", "p1", node="n1")
    discovery, work = (await api.client.get(f"{A}/tasks")).json()["items"]
    assert (discovery["slot"], discovery["state"], discovery["partitions"]) == (-1, "running", [])
    assert (work["slot"], work["state"], work["node"], work["target"], work["epoch"]) == (
        0,
        "running",
        "n1",
        "n1",
        epoch,
    )
    assert [each["partition"] for each in work["partitions"]] == ["p0", "p1"]
    status = (await api.client.get(f"{A}/status")).json()
    assert status["nodes"] == ["n1"]
    assert status["tasks"] == {"total": 1, "waiting": 0, "running": 1, "moving": 0, "ended": 0}


async def test_a_task_that_is_to_run_elsewhere_moves(api: Served) -> None:
    made = await api.create("a")
    await api.run(made, "p0", node="n1")
    await api.propose(c.RegisterNode(at_ms=1, name=NodeName("n2"), incarnation="i", address="x:2", workers=1))
    await api.propose(c.AssignTasks(at_ms=1, moves=((TaskKey(JobId(made["job_id"]), 0), NodeName("n2")),)))
    work = (await api.client.get(f"{A}/tasks")).json()["items"][1]
    assert (work["state"], work["node"], work["target"]) == ("moving", "n1", "n2")


async def test_checkpoints_are_listed_and_forgotten_when_stopped(api: Served) -> None:
    made = await api.create("a")
    epoch = await api.run(made, "p0", "p1")
    await api.commit(made, epoch, 7, "p0", "p1")
    rows = (await api.client.get(f"{A}/checkpoints")).json()["items"]
    assert [(row["partition"], row["seq"], row["epoch"], row["position"]) for row in rows] == [
        ("p0", 7, epoch, "cDc="),
        ("p1", 7, epoch, "cDc="),
    ]
    refused = await api.client.delete(f"{A}/checkpoints")
    assert (refused.status_code, refused.json()["code"]) == (409, "cluster.pipeline_not_stopped")
    await api.client.put(f"{A}/stop")
    reset = await api.client.delete(f"{A}/checkpoints")
    assert (reset.status_code, reset.json()["generation"]) == (200, 1)
    assert (await api.client.get(f"{A}/checkpoints")).json()["items"] == []


async def test_a_namesake_goes_on_where_checkpoints_were_kept(api: Served) -> None:
    made = await api.create("a")
    await api.commit(made, await api.run(made, "p0"), 1, "p0")
    assert (await api.client.delete(f"{A}?keep_checkpoints")).status_code == 204
    await api.create("a")
    assert len((await api.client.get(f"{A}/checkpoints")).json()["items"]) == 1
    assert (await api.client.delete(A)).status_code == 204
    await api.create("a")
    assert (await api.client.get(f"{A}/checkpoints")).json()["items"] == []


async def test_what_is_kept_of_a_deleted_pipeline_is_listed_and_can_be_forgotten(api: Served) -> None:
    for name in ("a", "b"):
        made = await api.create(name)
        await api.commit(made, await api.run(made, "p0", "p1"), 1, "p0", "p1")
    assert (await api.client.get(KEPT)).json()["items"] == []
    await api.client.delete("/api/v1/pipelines/b?keep_checkpoints")
    too_old = await api.client.delete("/api/v1/pipelines/b/checkpoints")
    assert (too_old.status_code, too_old.json()["code"]) == (409, "cluster.version_not_enabled")
    node = c.RegisterNode(
        at_ms=1, name=NodeName("n1"), incarnation="i", address="x:1", workers=1, newest_command=NEWEST
    )
    await api.propose(node)
    await api.propose(c.EnableCommands(at_ms=1, version=NEWEST))
    await api.client.delete(f"{A}?keep_checkpoints")
    a, b = (await api.client.get(KEPT)).json()["items"]
    assert (a["name"], a["namespace"], a["checkpoints"], a["deleted_by"]) == ("a", "default", 2, "")
    assert a["deleted_at"] is not None
    assert (b["name"], b["checkpoints"], b["deleted_at"], b["deleted_by"]) == ("b", 2, None, ""), "an older release's"
    assert (await api.client.get("/api/v1/namespaces/other/checkpoints")).json()["items"] == []
    rows = (await api.client.get(f"{A}/checkpoints")).json()["items"]
    assert [each["partition"] for each in rows] == ["p0", "p1"]
    for _ in range(2):  # the second time because the first answer was lost
        forgotten = await api.client.delete(f"{A}/checkpoints", headers={"idempotency-key": "once"})
        assert (forgotten.status_code, forgotten.content) == (204, b"")
    assert (await api.client.delete("/api/v1/pipelines/b/checkpoints")).status_code == 204
    assert (await api.client.get(KEPT)).json()["items"] == []
    for method in ("GET", "DELETE"):
        gone = await api.client.request(method, f"{A}/checkpoints")
        assert (gone.status_code, gone.json()["code"]) == (404, "cluster.unknown_pipeline")


async def test_a_failed_pipeline_says_why_and_starts_again(api: Served) -> None:
    made = await api.create("a")
    await fail(api, made, await api.run(made, "p0"))
    status = (await api.client.get(f"{A}/status")).json()
    assert (status["desired"], status["state"], status["job"]["state"]) == ("running", "failed", "failed")
    assert (status["error"]["code"], status["error"]["hint"]) == ("sink.file.disk_full", "make some")
    started = await api.client.put(f"{A}/start")
    assert started.json()["job_id"] != made["job_id"]
    assert started.json()["error"] is None


async def test_a_version_that_fails_gives_way_to_the_proven_one_and_says_so(api: Served) -> None:
    made = await api.create("a")
    await api.run(made, "p0")
    await api.propose(c.Prove(at_ms=1, job=JobId(made["job_id"])))
    await release(api)
    changed = (await api.client.put(A, json=spec("a", description="worse"))).json()
    await fail(api, changed, await api.run(changed, "p0"), fallback="fallback")
    body = (await api.client.get(A)).json()
    assert (body["version"], body["fell_back_from"], body["job_id"]) == (1, 2, "fallback")
    assert (body["state"], body["error"]["code"]) == ("starting", "sink.file.disk_full")
    versions = (await api.client.get(f"{A}/versions")).json()["items"]
    assert [(each["version"], each["current"], each["proven"]) for each in versions] == [
        (2, False, False),
        (1, True, True),
    ]


async def test_a_pipeline_that_has_read_everything_is_done(api: Served) -> None:
    made = await api.create("a")
    epoch = await api.run(made, "p0")
    await api.propose(c.EndTasks(at_ms=1, tasks=((TaskKey(JobId(made["job_id"]), 0), epoch),)))
    assert await state_of(api) == ("running", "done")
    job = (await api.client.get(f"/api/v1/jobs/{made['job_id']}")).json()
    assert (job["state"], job["version"]) == ("done", 1)
    assert job["ended_at"] is not None


async def test_jobs_of_all_pipelines_the_newest_first(api: Served) -> None:
    made = [await api.create(name) for name in ("a", "b", "c")]
    jobs = (await api.client.get("/api/v1/jobs")).json()["items"]
    assert {each["id"] for each in jobs} == {each["job_id"] for each in made}
    starts = [each["started_at"] for each in jobs]
    assert starts == sorted(starts, reverse=True)
    for each in jobs:
        assert each["id"][14] == "7"  # a UUIDv7


async def test_an_unknown_name_is_unknown_everywhere(api: Served) -> None:
    for method, path in [
        ("GET", A),
        ("DELETE", A),
        ("GET", f"{A}/status"),
        ("GET", f"{A}/versions"),
        ("GET", f"{A}/versions/1"),
        ("GET", f"{A}/versions/2/diff?before=1"),
        ("GET", f"{A}/tasks"),
        ("GET", f"{A}/jobs"),
        ("GET", f"{A}/checkpoints"),
        ("DELETE", f"{A}/checkpoints"),
        *(("PUT", f"{A}/{verb}") for verb in ("pause", "resume", "stop", "start", "restart")),
    ]:
        response = await api.client.request(method, path)
        assert (response.status_code, response.json()["code"]) == (404, "cluster.unknown_pipeline"), (method, path)
    rollback = await api.client.post(f"{A}/rollback", json={"version": 1})
    assert (rollback.status_code, rollback.json()["code"]) == (404, "cluster.unknown_pipeline")
    job = await api.client.get("/api/v1/jobs/01")
    assert (job.status_code, job.json()["code"]) == (404, "cluster.unknown_job")
