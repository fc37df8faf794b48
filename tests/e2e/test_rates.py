"""How fast records go, on real nodes: counted by those that run tasks, told by any, and made rates of by `wire top`."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.command import start, wire
from tests.e2e.nodes_kit import DEADLINE_S, create, endless
from tests.e2e.test_observing import metrics
from tests.e2e.test_three_nodes import NAMES, cluster, settle
from tests.waiting import comes_true, until

COUNTERS = {
    "received": "wire_source_records_total{component=generate,",
    "sent": "wire_sink_records_total{component=drop,",
    "filtered": "wire_pipeline_filtered_records_total{",
}


async def told(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await client.get("/api/v1/metrics", params={"consistency": "stale"})
    return list(answer.raise_for_status().json()["items"])


async def scraped(clients: list[httpx.AsyncClient]) -> dict[str, dict[str, float]]:
    return {name: await metrics(client) for name, client in zip(NAMES, clients, strict=True)}


@contextlib.asynccontextmanager
async def watched(folder: Path, *servers: str) -> AsyncIterator[list[str]]:
    """What `wire top` prints, line by line, until Ctrl-C."""
    environ = {"WIRE_CONTEXTS": "contexts.json"}
    files = ("--ca", "certs/ca.pem", "--cert", "certs/ada.pem", "--key", "certs/ada.key")
    named = [word for server in servers for word in ("--server", server)]
    assert (await wire("context", "set", "c", *named, *files, cwd=folder, environ=environ)).code == 0
    process = await start("top", cwd=folder, environ=environ)
    printed: list[str] = []

    async def read() -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            printed.append(line.decode().rstrip())

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        try:
            yield printed
        finally:
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            assert (await process.stderr.read(), await process.wait()) == (b"", 0)


def rates(line: str) -> tuple[float, float] | None:
    """Records a second, in and out, None where they are not known."""
    found = re.search(r"  in (\S+)/s  out (\S+)/s  lag ", line)
    return None if found is None else (float(found[1].replace(",", "")), float(found[2].replace(",", "")))


def as_they_are(line: str) -> bool:
    """Say whether the rates are about those of six pipelines that make up 50 a second, and let half of them pass."""
    found = rates(line)
    return found is not None and 240 < found[0] < 360 and 120 < found[1] < 180


@pytest.mark.slow
async def test_any_node_tells_what_all_have_counted_and_top_makes_rates_of_it_though_a_node_dies(
    tmp_path: Path,
) -> None:
    names = [f"endless-{i}" for i in range(6)]
    async with cluster(tmp_path) as (nodes, clients):
        for name in names:
            await create(clients[0], endless(name) | {"transforms": [{"filter": "n % 2 = 0"}]})
        await settle(clients[0], names, *NAMES)

        async def all_send() -> bool:
            return all(each["sent"] and each["filtered"] for each in await told(clients[0]))

        await comes_true(all_send, DEADLINE_S)
        for asked in clients:
            before, found, after = await scraped(clients), await told(asked), await scraped(clients)
            assert [each["name"] for each in found] == names
            for each in found:
                assert each["unanswered"] == []
                for node in each["nodes"]:
                    for figure, metric in COUNTERS.items():
                        series = f"{metric}namespace=default,pipeline={each['name']}}}"
                        least, most = (scrape[node["node"]][series] for scrape in (before, after))
                        assert least <= node[figure] <= most
        async with watched(tmp_path, nodes[0].url, nodes[1].url) as printed:
            await until(lambda: any(map(as_they_are, printed)), DEADLINE_S)
            lost = {
                each["name"] for each in await told(clients[0]) if [node["node"] for node in each["nodes"]] == ["n3"]
            }
            await nodes[2].kill()
            missing = {each["name"] for each in await told(clients[0]) if each["unanswered"] == ["n3"]}
            assert missing == lost, "its lease is not over yet"
            await settle(clients[0], names, "n1", "n2")
            since = len(printed)
            await until(lambda: any(map(as_they_are, printed[since:])), DEADLINE_S)
        assert rates(printed[0]) is None, "one look makes no rate"
        assert all(found >= (0, 0) for found in map(rates, printed) if found is not None)
        assert any("no answer from n3" in line for line in printed)
