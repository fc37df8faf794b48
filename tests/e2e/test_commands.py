"""Every command of `wire pipeline` and `wire cluster`, typed against three real nodes, for people and as data."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.e2e.command import Outcome, wire
from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess, endless
from tests.e2e.test_three_nodes import NAMES, certified, have_votes
from tests.services.ports import free_ports
from tests.waiting import comes_true
from wire.cli.commands import cluster, pipeline

OFFLINE = {"cluster recover"}
"""Asks no node: see test_recovering.py."""


def commands(group: Any, name: str) -> Iterator[tuple[str, bool]]:
    """The commands of a group, and whether each can answer with data."""
    for below, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {below}")
        else:
            yield f"{name} {below}", any("--output" in each.opts for each in command.params)


ALL = dict(
    each
    for name, app in (("pipeline", pipeline.app), ("cluster", cluster.app))
    for each in commands(typer.main.get_command(app), name)
    if each[0] not in OFFLINE
)


class Terminal:
    """Somebody who types, as ada, and remembers which commands went well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.typed: set[str] = set()
        self.as_data: set[str] = set()

    async def type(self, line: str) -> Outcome:
        outcome = await wire(*line.split(), cwd=self.folder, environ={"WIRE_CONTEXTS": "contexts.json"})
        if outcome.code == 0:
            known = self.as_data if line.endswith(" -o json") else self.typed
            known |= {each for each in ALL if f"{line} ".startswith(f"{each} ")}
        return outcome

    async def says(self, line: str) -> str:
        """Type a command that succeeds, and return what it says."""
        outcome = await self.type(line)
        assert outcome.code == 0, f"wire {line}\n{outcome.out}{outcome.err}"
        return outcome.out

    async def data(self, line: str) -> Any:
        """Type a command as a program does, and return what that reads."""
        return json.loads(await self.says(f"{line} -o json"))


async def steer_a_pipeline(at: Terminal) -> None:
    (at.folder / "p.yaml").write_text(json.dumps(endless("p")))
    assert await at.says("pipeline apply p.yaml --wait") == "p: created, version 1\n"
    described = await at.says("pipeline apply p.yaml --set description=slow --note why --wait")
    assert described == "p: changed, version 2\n"
    assert await at.says("pipeline pause p --wait") == "p: paused\n"
    assert await at.says("pipeline resume p --wait") == "p: running\n"
    assert await at.says("pipeline restart p --wait") == "p: running\n"
    assert await at.says("pipeline rollback p 1 --wait") == "p: version 3, which is version 1 again\n"


async def look_at_a_pipeline(at: Terminal) -> None:
    assert "p     3        running  running" in await at.says("pipeline list")
    assert [(each["name"], each["version"]) for each in await at.data("pipeline list")] == [("p", 3)]
    assert "\nname: p\n" in await at.says("pipeline get p")
    assert (await at.data("pipeline get p"))["spec"]["source"]["type"] == "generate"
    assert "p: running\n  version      3\n" in await at.says("pipeline status p")
    status = await at.data("pipeline status p")
    assert (status["state"], status["metrics"]["unanswered"]) == ("running", [])
    assert "MOVES TO" in await at.says("pipeline tasks p")
    tasks = await at.data("pipeline tasks p")
    assert {each["node"] for each in tasks} <= set(NAMES)
    assert "ada  current" in await at.says("pipeline history p")
    history = await at.data("pipeline history p")
    assert [(each["version"], each["author"], each["note"]) for each in history[1:]] == [
        (2, "ada", "why"),
        (1, "ada", ""),
    ]
    shown = await at.says("pipeline diff p 1 2")
    assert shown == 'from version 1 to version 2\n  $.description\n  + "slow"\n'
    assert (await at.data("pipeline diff p"))["before"] == 2
    tapped = await at.says("pipeline tap p --records 1 --seconds 60")
    assert "n" in json.loads(tapped)["value"]


async def has_come_somewhere(at: Terminal) -> None:
    async def there_are_checkpoints() -> bool:
        return bool(await at.data("pipeline checkpoints p"))

    await comes_true(there_are_checkpoints, DEADLINE_S)


async def let_it_forget(at: Terminal) -> None:
    await has_come_somewhere(at)
    assert "GENERATION" in await at.says("pipeline checkpoints p")
    assert await at.says("pipeline stop p --wait") == "p: stopped\n"
    assert await at.says("pipeline reset p --yes") == "p: begins anew when it is started\n"
    assert await at.data("pipeline checkpoints p") == []
    assert await at.says("pipeline start p --wait") == "p: running\n"


async def let_it_leave_something(at: Terminal) -> None:
    await has_come_somewhere(at)
    assert await at.says("pipeline delete p --keep-checkpoints --yes") == "p: deleted\n"
    (left,) = await at.data("pipeline kept")
    assert (left["name"], left["checkpoints"], left["deleted_by"]) == ("p", 1, "ada")
    assert "DELETED" in await at.says("pipeline kept")
    assert await at.says("pipeline reset p --yes") == "p: what it had left is forgotten\n"
    assert await at.data("pipeline kept") == []
    assert await at.says("pipeline apply p.yaml --wait") == "p: created, version 1\n"


async def keep_it_safe(at: Terminal) -> None:
    assert "snapshot up to entry" in await at.says("cluster snapshot")
    assert "wrote kept.backup" in await at.says("cluster backup kept.backup")
    refused = await at.type("cluster restore kept.backup --yes")
    assert (refused.code, "cluster.not_empty" in refused.err) == (1, True)
    assert await at.says("pipeline delete p --yes") == "p: deleted\n"

    async def nothing_is_left() -> bool:
        outcome = await at.type("cluster restore kept.backup --yes")
        return outcome.code == 0 or "cluster.not_empty" not in outcome.err

    await comes_true(nothing_is_left, DEADLINE_S)


async def invite(at: Terminal) -> None:
    token = (await at.says("cluster token create")).strip()
    revoked = token.partition(".")[0]
    assert await at.says(f"cluster token revoke {revoked}") == f"{revoked}: lets nobody in any more\n"
    made = await at.data("cluster token create --uses 3")
    assert made["token"].startswith(f"{made['id']}.")
    assert f"{made['id']}  " in await at.says("cluster token list")
    tokens = {each["id"]: each for each in await at.data("cluster token list")}
    assert tokens.keys() == {made["id"]}
    assert (tokens[made["id"]]["uses_left"], tokens[made["id"]]["created_by"]) == (3, "ada")


async def states(at: Terminal) -> dict[str, str]:
    return {each["name"]: each["role"] for each in await at.data("cluster members")}


async def let_nodes_come_and_go(at: Terminal, nodes: list[NodeProcess]) -> None:
    leaving, newcomer = nodes[2:]
    assert "n1: leads, term " in await at.says("cluster transfer n1")
    assert "leader   n1, term " in await at.says("cluster status")
    assert (await at.data("cluster status"))["leader"].partition("/")[0] == "n1"
    assert await at.says("cluster drain n3") == "n3: drains, and is given no tasks\n"
    assert "live, drains" in await at.says("cluster members")
    assert await at.says("cluster undrain n3") == "n3: is given tasks again\n"
    left = await at.says("cluster leave n3 --yes --wait")
    assert left == "n3: hands over what it does, then leaves\nn3: has left\n"
    assert await leaving.ended() == 0
    async with newcomer.started("--join", f"127.0.0.1:{free_ports(1)[0]}"):

        async def let_in() -> bool:
            outcome = await at.type(f"cluster join {newcomer.address}")
            assert outcome.code == 0 or "cluster.nobody_waits" in outcome.err, outcome.err  # it may not listen yet
            return outcome.code == 0

        await comes_true(let_in, DEADLINE_S)
    assert (await states(at)).keys() == {"n1", "n2", "n4"}
    assert await at.says("cluster remove n4 --yes") == "n4: removed\n"
    assert (await states(at)).keys() == {"n1", "n2"}


@pytest.mark.slow
@pytest.mark.timeout(540)
async def test_every_command_does_what_it_says_on_a_cluster_of_three(tmp_path: Path) -> None:
    nodes = await certified(tmp_path, (*NAMES, "n4"))
    nodes[3].forget("--join")
    at = Terminal(tmp_path)
    servers = " ".join(f"--server {node.url}" for node in nodes[:3])
    credentials = "--ca certs/ca.pem --cert certs/ada.pem --key certs/ada.key"
    await at.says(f"context set c {servers} {credentials}")
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(node.running()) for node in nodes[:3]]
        await comes_true(lambda: have_votes(clients[0]), DEADLINE_S)
        await steer_a_pipeline(at)
        await look_at_a_pipeline(at)
        await let_it_forget(at)
        await let_it_leave_something(at)
        await keep_it_safe(at)
        await invite(at)
        await let_nodes_come_and_go(at, nodes)
    assert at.typed == ALL.keys()
    assert at.as_data == {name for name, has_data in ALL.items() if has_data}
