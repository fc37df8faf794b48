"""Files that only one node has: the task that writes them stays there, waits for the node, and repeats nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.nodes_kit import DEADLINE_S, NOT_THERE, NodeProcess, status
from tests.e2e.test_members import leave
from tests.e2e.test_three_nodes import have_votes
from tests.waiting import comes_true, insist, until

KILLS = 2
NAMES = ("n1", "n2", "n3")


def numbers(note: str) -> dict[str, Any]:
    """Records that can be told apart, into files of a few hundred each."""
    return {
        "name": "numbers",
        "description": note,
        "source": {"type": "generate", "config": {"rate": 2000, "fields": {"n": "sequence"}}},
        "sink": {"type": "file", "config": {"path": "out/n.jsonl", "rotate": {"max_records": 700}}},
        "delivery": "exactly_once",
        "checkpoint": {"interval": "50ms"},
    }


class Disks:
    """Three nodes that share no files."""

    def __init__(self, folder: Path) -> None:
        self.nodes: list[NodeProcess] = []
        for name in NAMES:
            join = ["--join", self.nodes[0].address] if self.nodes else []
            disk = folder / f"{name}-disk"
            disk.mkdir()
            self.nodes.append(NodeProcess(folder, name, "--allow-paths", "out", *join, cwd=disk))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[list[httpx.AsyncClient]]:
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(node.running()) for node in self.nodes]
            await comes_true(lambda: have_votes(clients[0]), DEADLINE_S)
            yield clients

    def files(self, name: str) -> list[Path]:
        return sorted((self.nodes[NAMES.index(name)].cwd / "out").glob("n*"))

    def records(self, name: str) -> list[int]:
        """What is in the files of a node that are finished, in their order."""
        finished = (path for path in self.files(name) if path.suffix == ".jsonl")
        return [json.loads(line)["n"] for path in finished for line in path.read_bytes().splitlines()]

    def written(self) -> int:
        """Bytes in all files of all nodes."""
        return sum(path.stat().st_size for name in NAMES for path in self.files(name) if path.exists())


async def at_home(client: httpx.AsyncClient) -> str:
    """Apply the pipeline as soon as all nodes know of homes, and return which it has once it writes."""
    note = iter(range(1_000_000))

    async def attempt() -> str:
        spec = numbers(f"attempt {next(note)}")
        (await client.put("/api/v1/pipelines/numbers", json=spec)).raise_for_status()
        for _ in range(100):
            if home := (await status(client, "numbers"))["home"]:
                return str(home)
            await asyncio.sleep(0.05)
        raise httpx.HTTPError("it has none")

    return await insist(attempt, on=NOT_THERE, deadline_s=DEADLINE_S)


async def stopped(client: httpx.AsyncClient) -> None:
    """Stop it, and wait until nothing of it runs."""
    (await client.put("/api/v1/pipelines/numbers/stop")).raise_for_status()

    async def nobody_runs_it() -> bool:
        return not (await status(client, "numbers"))["nodes"]

    await comes_true(nobody_runs_it, DEADLINE_S)


@pytest.mark.timeout(600)
async def test_a_task_that_writes_files_goes_on_on_its_node_after_each_kill_and_repeats_nothing(tmp_path: Path) -> None:
    disks = Disks(tmp_path)
    async with disks.running() as clients:
        home = await at_home(clients[0])
        node = disks.nodes[NAMES.index(home)]
        client = next(client for client, name in zip(clients, NAMES, strict=True) if name != home)
        for _ in range(KILLS):
            before = disks.written()
            await until(lambda before=before: disks.written() > before + 20_000, DEADLINE_S)  # type: ignore[misc]
            await node.kill()

            async def waits() -> bool:
                found = (await status(client, "numbers"))["tasks"]
                return found["waiting"] == 1 and found["running"] == 0

            await insist(lambda: comes_true(waits, DEADLINE_S), on=NOT_THERE)
            assert all(not disks.files(name) for name in NAMES if name != home)
            await node.start()
        before = disks.written()
        await until(lambda: disks.written() > before + 20_000, DEADLINE_S)
        await insist(lambda: stopped(client), on=NOT_THERE)
        assert (await status(client, "numbers"))["home"] == home
    found = disks.records(home)
    assert found == list(range(len(found)))
    assert len(found) > 1000
    assert all(not disks.files(name) for name in NAMES if name != home)
    assert all(path.suffix == ".jsonl" for path in disks.files(home))


@pytest.mark.timeout(600)
async def test_when_its_node_leaves_its_files_are_finished_and_it_goes_on_in_others_elsewhere(tmp_path: Path) -> None:
    disks = Disks(tmp_path)
    async with disks.running() as clients:
        home = await at_home(clients[0])
        client = next(client for client, name in zip(clients, NAMES, strict=True) if name != home)
        await until(lambda: disks.written() > 20_000, DEADLINE_S)
        await leave(client, home)
        assert await disks.nodes[NAMES.index(home)].ended() == 0
        first = disks.records(home)
        assert all(path.suffix == ".jsonl" for path in disks.files(home))

        async def is_elsewhere() -> bool:
            return (await status(client, "numbers"))["home"] not in (None, home)

        await insist(lambda: comes_true(is_elsewhere, DEADLINE_S), on=NOT_THERE)
        other = str((await status(client, "numbers"))["home"])
        await until(lambda: len(disks.files(other)) > 2, DEADLINE_S)
        await stopped(client)
    assert [*first, *disks.records(other)] == list(range(len(first) + len(disks.records(other))))
