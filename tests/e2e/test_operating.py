"""Types what README.md, docs/cluster.md, docs/recovery.md and docs/observability.md say beside the tour of a cluster.

Every command of a block and every row of a table is read from the page, so that none that comes is forgotten.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.command import Outcome, wire
from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess, create, endless, reaches
from tests.e2e.test_commands import ALL
from tests.integration.api.conformance import DESCRIPTION
from tests.waiting import comes_true

ROOT = Path(__file__).parents[2]
README, CLUSTER, RECOVERY, OBSERVABILITY = (
    (ROOT / name).read_text() for name in ("README.md", "docs/cluster.md", "docs/recovery.md", "docs/observability.md")
)
ELSEWHERE = {
    "make run": "configs/quickstart is run by test_readme.py; `make` would make an environment",
    "make test": "is what runs this",
    "wire lint broken.yaml": "test_readme.py",
    "make cluster": "test_make_cluster.py",
}
UNATTENDED = {"wire top": "--once", "wire cluster restore cluster.backup": "--yes"}
"""What a command is told where nobody is there to end it, or to be asked."""
OTHER_COMMANDS = {
    "wire serve": "test_serve.py",
    "wire top": "test_watching.py",
    "wire context": "test_cluster_tour.py",
    "wire certs": "test_certs.py",
    "wire cluster recover": "test_recovering.py",
    "wire lint": "test_lint.py",
}
"""Those that test_commands.py does not type, and who does."""


class Operator:
    """Somebody with a node, at another port than the pages'."""

    def __init__(self, folder: Path, node: NodeProcess, client: httpx.AsyncClient) -> None:
        self.folder = folder
        self.client = client
        self._node = node

    async def type(self, line: str) -> str:
        """Type a command that succeeds, and return what it prints."""
        outcome = await self.tries(line)
        assert outcome.code == 0, f"{line}\n{outcome.out}{outcome.err}"
        return outcome.out

    async def tries(self, line: str) -> Outcome:
        """Type a command that may fail."""
        line = f"{line} {UNATTENDED.get(line, '')}".replace("http://127.0.0.1:4001", self._node.url)
        program, *words = shlex.split(line)
        return await (self._wire(*words) if program == "wire" else self._run(program, *words))

    async def _wire(self, *words: str) -> Outcome:
        return await wire(*words, cwd=self.folder, environ={"WIRE_SERVER": self._node.url})

    async def _run(self, *words: str) -> Outcome:
        process = await asyncio.create_subprocess_exec(
            *words, cwd=self.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        return Outcome(process.returncode or 0, out.decode(), err.decode())

    async def ask(self, cell: str) -> None:
        """Ask what a cell of a table says of REST, and expect it to be done."""
        (call, *more) = re.findall(r"`([^`]+)`", cell)
        method, path = call.split()
        sent: dict[str, Any] = {"content": (self.folder / "my.yaml").read_bytes()} if method == "PUT" else {}
        sent["headers"] = {"content-type": "application/yaml"}
        if "If-Match" in more:
            sent["headers"]["if-match"] = (await self.client.get(path)).headers["etag"]
        elif more:
            sent["content"] = more[0]
        response = await self.client.request(method, path, **sent)
        assert response.is_success, f"{cell}\n{response.text}"


@pytest.fixture
async def operator(tmp_path: Path) -> AsyncIterator[Operator]:
    node = NodeProcess(tmp_path, "n1")
    async with node.running() as client:
        (tmp_path / "my.yaml").write_text(json.dumps(endless("my-pipeline")))
        yield Operator(tmp_path, node, client)


def typed(page: str) -> list[tuple[str, str]]:
    """The commands of a page's blocks that are not typed elsewhere, with what the page shows of each."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    lines = [each.partition("\n") for block in blocks for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    found = [(line.partition(" #")[0].strip(), shown) for line, _, shown in lines]
    return [each for each in found if each[0] not in ELSEWHERE]


def rows_of_rest() -> list[list[str]]:
    """The rows of the table that has commands beside calls of the REST API, filled in."""
    _, _, table = CLUSTER.partition("| with `wire` | over REST |\n|---|---|\n")
    rows = table.partition("\n\n")[0].replace("NAME", "my-pipeline").replace("FILE", "my.yaml").splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


async def test_the_lines_of_the_readme_and_both_sides_of_the_table_do_the_same(operator: Operator) -> None:
    lines = dict(typed(README))
    assert await operator.type(next(iter(lines))) == "my-pipeline: created, version 1\n"
    await operator.type("wire pipeline apply my.yaml --set description=slow --wait")
    for line in [*lines][1:]:
        assert "my-pipeline" in await operator.type(line)
    assert (await operator.client.get("/api/v1/pipelines/my-pipeline")).json()["version"] == 3
    rows = rows_of_rest()
    assert len(rows) > 1
    for command, call in rows:
        await operator.type(command.strip("`"))
        await operator.ask(call)


async def test_a_backup_is_taken_and_restored_as_the_page_says(operator: Operator) -> None:
    await create(operator.client, endless("kept"))
    (backup, _), (restore, _) = typed(RECOVERY)
    await operator.type(backup)
    await operator.type("wire pipeline delete kept --yes")

    async def restored() -> bool:
        outcome = await operator.tries(restore)
        waits = "cluster.not_empty", "cluster.version_not_enabled"  # what ran lets go; all nodes know the command
        assert outcome.code == 0 or any(code in outcome.err for code in waits), outcome.err
        return "pipelines 1" in outcome.out

    await comes_true(restored, DEADLINE_S)
    await reaches(operator.client, "kept", "running")


async def test_what_becomes_of_records_is_told_as_the_page_shows(operator: Operator) -> None:
    await create(operator.client, endless("delayed-flights"))
    await reaches(operator.client, "delayed-flights", "running")
    for line, shown in typed(OBSERVABILITY):
        found = json.loads((await operator.type(line)).splitlines()[0])
        expected = json.loads(shown.splitlines()[0])
        assert found.keys() == expected.keys(), line
        for part in (each for each in expected.get("nodes", []) for each in found["nodes"]):
            assert part.keys() == expected["nodes"][0].keys()
    for path in set(re.findall(r"`(?:GET )?(/[a-z][\w/?]*)`", OBSERVABILITY.replace("NAME", "default"))):
        assert (await operator.client.get(path)).is_success, path


PAGES = pytest.mark.parametrize(
    "page", [CLUSTER, RECOVERY, OBSERVABILITY], ids=["cluster", "recovery", "observability"]
)


@PAGES
def test_every_command_that_a_page_names_is_typed_by_some_test(page: str) -> None:
    named = re.findall(r"`(wire [a-z]+[^`]*)`", page)
    assert named
    known = tuple(f"{each} " for each in [*OTHER_COMMANDS, *(f"wire {name}" for name in ALL)])
    assert [each for each in named if not f"{each} ".startswith(known)] == []


@PAGES
def test_every_call_that_a_page_names_is_there(page: str) -> None:
    routes = [
        re.compile(f"{method.upper()} {re.sub(r'{[^}]+}', '[^/]+', path)}")
        for path, item in DESCRIPTION["paths"].items()
        for method in item
    ]
    named = re.findall(r"`((?:GET|PUT|POST|DELETE) [^?`]+)", page)
    assert named
    assert [each for each in named if not any(route.fullmatch(each) for route in routes)] == []
