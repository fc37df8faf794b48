"""`wire top` and `status --watch`: drawn in place on a terminal, plain lines elsewhere, and Ctrl-C ends them well."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import DEADLINE_S, WIRE, start, wire
from tests.unit.cli.remote.scripted import Reply, Scripted, problem, scripted
from tests.waiting import until

ALL = "/api/v1/namespaces/default/pipelines"
TASKS = {"total": 2, "waiting": 0, "running": 2, "moving": 0, "ended": 0}
COUNTED = {"received": 1204, "sent": 310, "filtered": 894, "dead_lettered": 0, "skipped": 0, "retried": 7}
COUNTED |= {"shed": 0, "sinks_down": []}
COUNTED |= {"lag_records": 12, "lag_bytes": None, "lag_ms": None}
METRICS = {
    **COUNTED,
    "name": "a",
    "namespace": "default",
    "nodes": [{**COUNTED, "node": "n1", "uptime_ms": 5000}],
    "unanswered": [],
}
ANSWERS: dict[str, Any] = {
    "GET /api/v1/cluster": {
        "cluster_id": "c",
        "term": 3,
        "leader": "n1/i",
        "members": [
            {"id": "n1/i", "name": "n1", "address": "n1:1", "role": "leader", "state": "live", "workers": 2},
            {"id": "n2/i", "name": "n2", "address": "n2:1", "role": "voter", "state": "silent"},
        ],
    },
    f"GET {ALL}": {"items": [{"name": "a"}], "next": None},
    f"GET {ALL}/a/status": {
        "name": "a",
        "namespace": "default",
        "version": 1,
        "desired": "running",
        "state": "running",
        "generation": 0,
        "job": None,
        "tasks": TASKS,
        "nodes": ["n1"],
        "checkpoints": 2,
    },
    f"GET {ALL}/a/tasks": {
        "items": [
            {"job_id": "j", "slot": n, "state": "running", "node": "n1", "target": "n1", "epoch": 1}
            | {"partitions": [], "moved_at": None}
            for n in (-1, 0, 1)
        ],
        "next": None,
    },
    f"GET {ALL}/a/metrics": METRICS,
    "GET /api/v1/namespaces/default/metrics": {"items": [METRICS], "next": None},
}


@pytest.fixture
def node() -> Any:
    with scripted(**{name: Reply(200, body) for name, body in ANSWERS.items()}) as served:
        yield served


async def test_one_look_at_a_cluster(node: Scripted, tmp_path: Path) -> None:
    once = await wire("top", "--once", "--server", node.address, cwd=tmp_path)
    assert once.code == 0, once.err
    assert once.out.splitlines() == [
        "cluster  c",
        "leader   n1, term 3",
        "nodes    2, of which 2 vote",
        "",
        "NODE  ROLE    STATE   TASKS  WORKERS  ADDRESS",
        "n1    leader  live    2      2        n1:1",
        "n2    voter   silent  0               n2:1",
        "",
        "PIPELINE  STATE    VERSION  TASKS      NODES  IN  OUT  LAG         ERROR",
        "a         running  1        2 running  n1 2   -   -    12 records",
    ]
    assert all("consistency=stale" in each.target for each in node.asked[1:]), "it is shown without a leader, too"
    data = await wire("top", "-o", "json", "--server", node.address, cwd=tmp_path)
    shown = json.loads(data.out)
    assert shown["metrics"][0]["nodes"] == METRICS["nodes"]
    assert [(each["status"]["state"], each["nodes"]) for each in shown["pipelines"]] == [("running", {"n1": 2})]
    assert (shown["cluster"]["leader"], shown["rates"]) == ("n1/i", {})


async def test_a_node_that_does_not_say_what_it_has_counted_is_named(node: Scripted, tmp_path: Path) -> None:
    counted = METRICS | {"unanswered": ["n2"]}
    node.by_target["GET /api/v1/namespaces/default/metrics"] = Reply(200, {"items": [counted], "next": None})
    once = await wire("top", "--once", "--server", node.address, cwd=tmp_path)
    assert once.out.splitlines()[-1] == "no answer from n2, whose part of IN, OUT and LAG is missing"
    node.by_target[f"GET {ALL}/a/metrics"] = Reply(200, counted)
    status = await wire("pipeline", "status", "a", "--server", node.address, cwd=tmp_path)
    assert "  no answer    n2, whose part is missing" in status.out.splitlines()


async def test_rates_are_of_two_looks_and_in_one_line_they_are_of_all_pipelines(node: Scripted, tmp_path: Path) -> None:
    def metrics(seconds: float, **received: int) -> Reply:
        items = [
            METRICS | {"name": name, "nodes": [{**COUNTED, "received": n, "node": "n1", "uptime_ms": seconds * 1000}]}
            for name, n in received.items()
        ]
        return Reply(200, {"items": items, "next": None})

    where = "GET /api/v1/namespaces/default/metrics"
    node.by_target[where] = metrics(5, a=1000, b=50)
    process = await start("top", "--server", node.address, cwd=tmp_path)
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        lines = [await process.stdout.readline()]
        for moment in (metrics(7, a=1600, b=90), metrics(1, a=10, b=20)):  # which was started again meanwhile
            node.by_target[where] = moment
            lines.append(await process.stdout.readline())
        process.send_signal(signal.SIGINT)
        await process.communicate()
    rates = [line.decode().rstrip().partition("  in ")[2] for line in lines]
    assert rates == ["-  out -  lag 24 records", "320/s  out 0/s  lag 24 records", "-  out -  lag 24 records"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["top"], b"leader n1  nodes 1 of 2  tasks 2 running  pipelines 1 running  in -  out -  lag 12 records\n"),
        (["pipeline", "status", "a", "--watch"], b"running  version 1  tasks 2 running  nodes n1\n"),
    ],
)
async def test_elsewhere_than_on_a_terminal_what_changes_is_a_line(
    node: Scripted, tmp_path: Path, words: list[str], line: bytes
) -> None:
    process = await start(*words, "--server", node.address, cwd=tmp_path)
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        first = await process.stdout.readline()
        seen = len(node.asked)
        await until(lambda: len(node.asked) > seen + 4)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert first.partition(b"  ")[2] == line
    assert (out, err, process.returncode) == (b"", b"", 0)


async def test_only_nodes_that_are_known_to_be_there_are_counted(node: Scripted, tmp_path: Path) -> None:
    members = [{"id": f"n{n}/i", "name": f"n{n}", "address": f"n{n}:1", "role": "voter"} for n in (1, 2, 3)]
    states = ("live", "unknown", "unknown")  # as one of them knows it that follows nobody
    leaderless: dict[str, Any] = {"cluster_id": "c", "term": 3, "leader": None}
    leaderless["members"] = [each | {"state": state} for each, state in zip(members, states, strict=True)]
    node.by_target["GET /api/v1/cluster"] = Reply(200, leaderless)
    process = await start("top", "--server", node.address, cwd=tmp_path)
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        assert b"  leader none  nodes 1 of 3  " in await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        await process.communicate()


@pytest.mark.parametrize("words", [["top"], ["pipeline", "tap", "a"]])
async def test_who_has_read_enough_may_go(tmp_path: Path, words: list[str]) -> None:
    board = {name: Reply(200, body) for name, body in ANSWERS.items()}
    tapped = Reply(200, b'{"a":1}\n' * 200_000)
    with scripted(**board, **{f"GET {ALL}/a/tap": tapped}) as node:
        process = await start(*words, "--server", node.address, cwd=tmp_path)
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            assert await process.stdout.readline()
            process.stdout._transport.close()  # type: ignore[attr-defined] # as `head` does when it ends
            if words == ["top"]:
                node.by_target["GET /api/v1/cluster"] = Reply(200, ANSWERS["GET /api/v1/cluster"] | {"leader": None})
            assert process.stderr is not None
            assert (await process.stderr.read(), await process.wait()) == (b"", 0)


async def test_a_cluster_that_is_away_for_a_while_is_asked_again(tmp_path: Path) -> None:
    fine = Reply(200, ANSWERS[f"GET {ALL}/a/status"])
    words = ["pipeline", "status", "a", "--watch", "--patience", "0s"]
    with scripted(fine, problem(503, "raft.no_leader"), fine) as node:
        process = await start(*words, "--server", node.address, cwd=tmp_path)
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            lines = [await process.stdout.readline() for _ in range(3)]
            process.send_signal(signal.SIGINT)
            await process.communicate()
    assert [line.split()[1] for line in lines] == [b"running", b"no", b"running"]
    assert b"no answer: it is raft.no_leader" in lines[1]


async def test_a_cluster_that_is_away_at_first_is_an_error(tmp_path: Path) -> None:
    with scripted(problem(503, "raft.no_leader")) as node:
        outcome = await wire("top", "--patience", "0s", "--server", node.address, cwd=tmp_path)
    assert outcome.code == 3
    assert "raft.no_leader" in outcome.err


@pytest.mark.parametrize("words", [["top"], ["pipeline", "status", "a", "-w"]])
async def test_a_terminal_is_left_as_it_was(node: Scripted, tmp_path: Path, words: list[str]) -> None:
    primary, secondary = os.openpty()
    process = await asyncio.create_subprocess_exec(
        WIRE, *words, "--server", node.address, cwd=tmp_path, stdin=secondary, stdout=secondary, stderr=secondary,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
    )  # fmt: skip
    os.close(secondary)
    shown = bytearray()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.to_thread(_read_all, primary, shown))
            await until(lambda: shown.count(b"running") >= 2, DEADLINE_S)
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(DEADLINE_S):
                assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()  # else nobody would stop reading
    os.close(primary)
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h") == 1, "the cursor is hidden, and is back"
    assert b"Traceback" not in shown


def _read_all(terminal: int, into: bytearray) -> None:
    try:
        while piece := os.read(terminal, 65536):
            into += piece
    except OSError:  # its other side was closed
        return
