"""Three nodes with certificates: they join, share the work, and carry on without one of them."""

from __future__ import annotations

import contextlib
import json
import shutil
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from pathlib import Path

import httpx

from tests.e2e.command import wire
from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess, copying, create, endless, lines, numbered, reaches
from tests.waiting import comes_true, until

NAMES = ("n1", "n2", "n3")


async def certified(folder: Path, names: Sequence[str] = NAMES, *given: str) -> list[NodeProcess]:
    """Nodes with certificates, of which the others join the first; whoever asks them has one, too."""
    assert (await wire("certs", "init", cwd=folder)).code == 0
    assert (await wire("certs", "issue", "ada", "--client", cwd=folder)).code == 0
    context = ssl.create_default_context(cafile=folder / "certs" / "ca.pem")
    context.load_cert_chain(folder / "certs" / "ada.pem", folder / "certs" / "ada.key")
    nodes: list[NodeProcess] = []
    for name in names:
        issued = await wire("certs", "issue", name, "--host", "127.0.0.1", cwd=folder)
        assert issued.code == 0, issued.err
        flags = [*given, "--allow-paths", str(folder), "--ca", "certs/ca.pem"]
        flags += ["--cert", f"certs/{name}.pem", "--key", f"certs/{name}.key"]
        flags += ["--join", nodes[0].address] if nodes else []
        nodes.append(NodeProcess(folder, name, *flags, tls=context))
    return nodes


@contextlib.asynccontextmanager
async def cluster(folder: Path, *flags: str) -> AsyncIterator[tuple[list[NodeProcess], list[httpx.AsyncClient]]]:
    """All three, once each has a vote."""
    nodes = await certified(folder, NAMES, *flags)
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(node.running()) for node in nodes]
        await comes_true(lambda: have_votes(clients[0]), DEADLINE_S)
        yield nodes, clients


async def have_votes(client: httpx.AsyncClient) -> bool:
    return await roles(client) == Counter({"leader": 1, "voter": 2})


async def roles(client: httpx.AsyncClient) -> Counter[str]:
    members = (await client.get("/api/v1/cluster")).raise_for_status().json()["members"]
    return Counter(member["role"] for member in members)


async def members(client: httpx.AsyncClient) -> dict[str, str]:
    """The ids of all members by name."""
    found = (await client.get("/api/v1/cluster")).raise_for_status().json()["members"]
    return {member["name"]: member["id"] for member in found}


async def places(client: httpx.AsyncClient, *pipelines: str) -> Counter[str | None]:
    """How many tasks run on each node, as the one that is asked knows it: perhaps nothing yet of a new pipeline."""
    found: Counter[str | None] = Counter()
    for name in pipelines:
        response = await client.get(f"/api/v1/pipelines/{name}/tasks", params={"consistency": "stale"})
        if response.status_code == HTTPStatus.NOT_FOUND:
            continue
        for task in json.loads(response.raise_for_status().content)["items"]:
            found[task["node"]] += 1
    return found


async def settle(client: httpx.AsyncClient, pipelines: list[str], *nodes: str) -> None:
    """Wait until all tasks run, on all of these nodes and no others."""

    async def settled() -> bool:
        found = await places(client, *pipelines)
        return found.keys() == set(nodes) and found.total() == 2 * len(pipelines)

    await comes_true(settled, DEADLINE_S)


async def test_tasks_are_spread_and_those_of_a_node_that_is_killed_go_to_the_others(tmp_path: Path) -> None:
    names = [f"endless-{i}" for i in range(6)]
    async with cluster(tmp_path) as (nodes, clients):
        for name in names:
            await create(clients[1], endless(name))
        await settle(clients[0], names, *NAMES)
        await nodes[2].kill()
        await settle(clients[0], names, "n1", "n2")


async def test_no_record_is_missing_or_twice_when_the_leader_is_killed(tmp_path: Path) -> None:
    source = numbered(tmp_path / "in.jsonl")
    targets = {f"copy-{i}": tmp_path / f"out-{i}.jsonl" for i in range(4)}
    async with cluster(tmp_path) as (nodes, clients):
        for name, target in targets.items():
            await create(clients[0], copying(name, source, target, rate=600))
        await until(lambda: all(lines(target) > 200 for target in targets.values()), DEADLINE_S)
        led = (await clients[1].get("/api/v1/cluster")).json()["leader"].partition("/")[0]
        await nodes[NAMES.index(led)].kill()
        left = next(client for client, name in zip(clients, NAMES, strict=True) if name != led)
        for name in targets:
            await reaches(left, name, "done")
    for target in targets.values():
        assert target.read_bytes() == source.read_bytes()


async def test_a_node_that_ends_hands_over_its_tasks_and_leadership_before_its_lease_is_over(tmp_path: Path) -> None:
    names = [f"endless-{i}" for i in range(4)]
    async with cluster(tmp_path) as (nodes, clients):
        for name in names:
            await create(clients[0], endless(name))
        await settle(clients[1], names, *NAMES)
        led = (await clients[1].get("/api/v1/cluster")).json()["leader"].partition("/")[0]
        leader = nodes[NAMES.index(led)]
        others = [name for name in NAMES if name != led]
        assert await leader.stop() == 0
        assert "tasks_not_released" not in leader.said
        assert "leadership_not_handed_over" not in leader.said
        given_up = [json.loads(line) for line in leader.said.splitlines() if "lease_given_up" in line]
        assert [each["leader"].partition("/")[0] in others for each in given_up] == [True], "its heir does not know"
        await settle(clients[NAMES.index(others[0])], names, *others)


async def test_a_node_whose_disk_is_lost_joins_again_under_its_name_and_votes_again(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (nodes, clients):
        before = await members(clients[0])
        await nodes[2].kill()
        shutil.rmtree(nodes[2].folder)
        async with nodes[2].running():
            await comes_true(lambda: have_votes(clients[0]), DEADLINE_S)
            after = await members(clients[0])
    assert before.keys() == after.keys() == set(NAMES)
    assert [name for name in NAMES if before[name] != after[name]] == ["n3"]
