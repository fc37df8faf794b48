"""What an operator sees of nodes: metrics, logs and records that pass; and what nobody may see of them."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess, create, endless, reaches
from tests.e2e.test_three_nodes import cluster, settle
from tests.services.web import Reply, WebServer
from tests.unit.node.metrics.kit import read
from tests.waiting import comes_true

CANARY, PASSING = "canary-of-the-config", "canary-of-a-record"


def logged(node: NodeProcess, event: str) -> list[dict[str, Any]]:
    """The lines of one event in what a node and its workers said."""
    said = [json.loads(line) for line in node.said.splitlines() if line.startswith("{")]
    return [line for line in said if line["event"] == event]


async def metrics(client: httpx.AsyncClient) -> dict[str, float]:
    return read((await client.get("/metrics")).raise_for_status().text)


async def tapped(client: httpx.AsyncClient, name: str, **asked: float) -> list[dict[str, Any]]:
    response = await client.get(f"/api/v1/pipelines/{name}/tap", params=asked)
    return [json.loads(line) for line in response.raise_for_status().text.splitlines()]


async def test_records_of_all_nodes_are_seen_by_whichever_is_asked(tmp_path: Path) -> None:
    names = [f"endless-{i}" for i in range(6)]
    async with cluster(tmp_path) as (nodes, clients):
        for name in names:
            await create(clients[0], endless(name))
        await settle(clients[0], names, "n1", "n2", "n3")
        seen = set()
        for name in names:
            samples = await tapped(clients[1], name, records=5, seconds=60)
            assert len(samples) == 5
            assert all(set(sample["value"]) == {"n"} for sample in samples)
            seen |= {sample["node"] for sample in samples}
        assert seen == {"n1", "n2", "n3"}
        found = await metrics(clients[0])
        assert found["wire_raft_members{vote=yes}"] == 3
        assert any(name.startswith("wire_rpc_request_seconds_count") for name in found)
        assert found["wire_certificate_left_seconds"] > 86_400
        nobody = ssl.create_default_context(cafile=tmp_path / "certs" / "ca.pem")
        async with httpx.AsyncClient(verify=nobody, trust_env=False) as stranger:
            for address in ("/metrics", f"/api/v1/pipelines/{names[0]}/tap"):
                assert (await stranger.get(nodes[0].url + address)).status_code == 401


def leaking(port: int) -> dict[str, Any]:
    """A pipeline that knows one secret, moves another, and is in trouble."""
    fields = {"n": "sequence", "password": {"type": "constant", "value": PASSING}}
    return {
        "name": "leaking",
        "source": {"type": "generate", "config": {"rate": 20, "fields": fields}},
        "sink": {
            "type": "http",
            "config": {"url": f"http://127.0.0.1:{port}/", "auth": {"bearer": "${env:CANARY}"}},
        },
        "retry": {"initial": "100ms", "max": "200ms"},
    }


async def test_no_secret_is_in_what_a_node_says_and_its_workers_lines_name_where_they_are_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    web = WebServer(lambda asked: Reply(503, asked.headers.get("authorization", "").encode()))
    node = NodeProcess(tmp_path, "n1", "--allow-env", "CANARY", "--log-level", "debug")
    answers = []
    async with node.running() as client:
        await create(client, leaking(web.port))
        await reaches(client, "leaking", "running")

        async def retried() -> bool:
            return any(
                value and name.startswith("wire_sink_retried_records_total")
                for name, value in (await metrics(client)).items()
            )

        await comes_true(retried, DEADLINE_S)
        samples = await tapped(client, "leaking", records=5, seconds=1)
        for part in ("", "/status", "/tasks", "/versions", "/versions/1", "/checkpoints", "/jobs"):
            answers.append((await client.get(f"/api/v1/pipelines/leaking{part}")).raise_for_status().text)
        for address in ("/metrics", "/status", "/api/v1/jobs", "/api/v1/cluster"):
            answers.append((await client.get(address)).raise_for_status().text)
        mistake = leaking(1) | {"transforms": [{"filter": f"nope({PASSING!r})"}]}
        refused = await client.put("/api/v1/pipelines/leaking", json=mistake, headers={"x-request-id": "mine"})
        assert refused.status_code == 422
        (job,) = (await client.get("/api/v1/jobs")).json()["items"]
        assert await node.stop() == 0
    web.close()
    assert all(f"Bearer {CANARY}" == each.headers["authorization"] for each in web.asked if each.method == "POST")
    assert all(sample["value"]["password"] == "***" for sample in samples)
    for text in (node.said, json.dumps(samples), *answers):
        assert CANARY not in text
    for text in (node.said, json.dumps(samples), answers[7]):
        assert PASSING not in text
    line = logged(node, "sink_retry")[0]
    assert (line["node"], line["pipeline"], line["job"], line["slot"]) == ("n1", "default/leaking", job["id"], 0)
    assert line["epoch"] > 0
    assert {each["node"] for each in logged(node, "leading")} == {"n1"}
    assert {each["pipeline"] for each in logged(node, "task_released")} == {"default/leaking"}
