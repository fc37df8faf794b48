"""What has become of pipelines' records, over HTTP: gathered from the nodes that run their tasks, by any node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api.api_kit import Served, serving, serving_all
from wire.cluster.state import PipelineKey
from wire.node.figures import COUNTED, Counted, Question
from wire.node.rpc.messages import Caller
from wire.pipelines.engine.progress import Progress, SinkProgress, SourceProgress

ALL = "/api/v1/metrics"
OF_A = "/api/v1/pipelines/a/metrics"


def progress(read: int, **lags: Any) -> Progress:
    """A run that has read so many, filtered and put aside one each, and written the others, some of them twice."""
    made = Progress(state="running", filtered=1, dead_lettered=1)
    made.sources = [SourceProgress("generate", "generate", read=read, **lags)]
    made.sinks = [SinkProgress("drop", "drop", written=read - 2, retried=5, shed=3, breaker="open")]
    made.dead_letter = SinkProgress("dead", "file", written=1)
    return made


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[list[Served]]:
    async with serving_all(tmp_path, 3) as served:
        yield served


async def runs(node: Served, name: str, told: Progress | None, on: str | None = None) -> None:
    """Make a pipeline whose one task runs on a node, which has been told that of it."""
    made = await node.create(name)
    await node.run(made, "p", node=on or node.node.me.name)
    node.workers.told.append((PipelineKey("default", name), told))


def calls(node: Served) -> int:
    """How often another node has asked this one what it has counted."""
    timings = node.rpc.counters.answered.get(COUNTED.name)
    return 0 if timings is None else timings.count


async def test_any_node_tells_what_the_ones_that_run_tasks_have_counted(nodes: list[Served]) -> None:
    await runs(nodes[0], "a", progress(100, lag_records=7, lag_s=1.5))
    for asked in nodes:
        found = (await asked.client.get(OF_A)).json()
        (counted,) = found.pop("nodes")
        assert counted.pop("uptime_ms") >= 0
        assert counted.pop("node") == "n1"
        expected = {"received": 100, "sent": 98, "filtered": 1, "dead_lettered": 1, "skipped": 0, "retried": 5}
        expected |= {"lag_records": 7, "lag_bytes": None, "lag_ms": 1500, "shed": 3, "sinks_down": ["drop"]}
        assert counted == expected
        assert found == expected | {"name": "a", "namespace": "default", "unanswered": []}


async def test_all_pipelines_are_told_at_once_and_each_node_is_asked_once_for_its_own(nodes: list[Served]) -> None:
    for n, name in enumerate("abcd"):
        await runs(nodes[n % 2], name, progress(10 * (n + 1)))
    await nodes[0].create("idle")
    before = [calls(node) for node in nodes]
    found = (await nodes[2].client.get(ALL)).json()
    assert found["next"] is None
    assert [(each["name"], each["received"], [of["node"] for of in each["nodes"]]) for each in found["items"]] == [
        ("a", 10, ["n1"]),
        ("b", 20, ["n2"]),
        ("c", 30, ["n1"]),
        ("d", 40, ["n2"]),
        ("idle", 0, []),
    ]
    assert [calls(node) - was for node, was in zip(nodes, before, strict=True)] == [1, 1, 0]
    part = (await nodes[2].client.get(f"{ALL}?limit=1")).json()
    rest = (await nodes[2].client.get(f"{ALL}?cursor={part['next']}")).json()
    assert [each["name"] for each in part["items"] + rest["items"]] == ["a", "b", "c", "d", "idle"]


async def test_what_several_nodes_have_counted_is_added_up_and_of_times_the_longest_counts(nodes: list[Served]) -> None:
    for n, node in enumerate(nodes, 1):
        node.workers.told.append((PipelineKey("default", "a"), progress(100 * n, lag_records=n, lag_s=float(n))))
    await nodes[0].spread(await nodes[0].create("a"), "n1", "n2")
    found = (await nodes[2].client.get(OF_A)).json()
    assert [(each["node"], each["received"]) for each in found["nodes"]] == [("n1", 100), ("n2", 200)]
    assert (found["received"], found["sent"], found["lag_records"], found["lag_ms"]) == (300, 296, 3, 2000)


async def test_a_node_that_does_not_answer_is_named_and_the_others_are_told(nodes: list[Served]) -> None:
    await nodes[0].spread(await nodes[0].create("a"), "n1", "n2")
    nodes[0].workers.told.append((PipelineKey("default", "a"), progress(100)))
    hangs = asyncio.Event()

    async def never(_: Question, __: Caller) -> Counted:
        await hangs.wait()
        raise AssertionError

    nodes[1].rpc.handle(COUNTED, never)
    found = (await nodes[2].client.get(OF_A)).json()
    assert [each["node"] for each in found["nodes"]] == ["n1"]
    assert (found["received"], found["unanswered"]) == (100, ["n2"])


async def test_a_node_that_is_no_member_any_more_is_named_too(api: Served) -> None:
    await runs(api, "a", None, on="n9")
    found = (await api.client.get(OF_A)).json()
    assert (found["nodes"], found["unanswered"], found["received"]) == ([], ["n9"], 0)


async def test_there_is_nothing_to_tell_of_a_pipeline_that_is_not_there(api: Served) -> None:
    response = await api.client.get(OF_A)
    assert (response.status_code, response.json()["code"]) == (404, "cluster.unknown_pipeline")
    assert (await api.client.get(ALL)).json() == {"items": [], "next": None}
    await api.create()
    assert (await api.client.get("/api/v1/namespaces/team/metrics")).json()["items"] == []
    assert [each["name"] for each in (await api.client.get(ALL)).json()["items"]] == ["a"]


async def test_without_a_leader_a_node_tells_what_it_knows_if_that_is_enough(tmp_path: Path) -> None:
    async with serving(tmp_path, others=2, timeout_s=0.2) as lonely:
        assert (await lonely.client.get(ALL)).json()["code"] == "raft.no_leader"
        stale = await lonely.client.get(f"{ALL}?consistency=stale")
        assert (stale.status_code, stale.json()["items"]) == (200, [])
