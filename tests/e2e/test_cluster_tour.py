"""Does what docs/cluster.md says, in its order: writes its files, types its commands, compares what they print."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import signal
from pathlib import Path

import pytest

from tests.e2e.command import Outcome, start, wire
from tests.services.ports import free_ports
from tests.waiting import comes_true

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(yaml|console)\n(.*?)```", re.DOTALL)
SETTLES = ("status", "list", "members", "history")
DEADLINE_S = 90.0
VARIES = {
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": "ID",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ": "TIME",
    r"term \d+": "term N",
    r"(?m)^(node-\d +)(leader|voter)": r"\1votes",
    r"(, )?proven": "",
    r"[\d,]+ (received|sent|filtered)": r"N \1",
    r" {2,}": "  ",
    r"(?m) +$": "",
}
"""What is not the same each time: ids, times, terms, who leads, what has run for a minute, how many records passed, and
how wide columns are."""


class Tour:
    """Somebody with a few terminals, at other ports than the document's."""

    def __init__(self, folder: Path, listening: asyncio.TaskGroup) -> None:
        self._folder = folder
        self._listening = listening
        self._ports = free_ports(3)
        first = f"127.0.0.1:{self._ports[0]}"
        self._environ = {"WIRE_LISTEN": first, "WIRE_SERVER": f"http://{first}", "WIRE_WORKERS": "2"}
        self._environ["WIRE_CONTEXTS"] = "contexts.json"
        self._nodes: dict[str, asyncio.subprocess.Process] = {}

    async def end(self) -> None:
        """End the nodes that are left."""
        for command in list(self._nodes):
            await self._end(command, signal.SIGKILL)

    async def follow(self, text: str) -> None:
        for n, port in enumerate(self._ports, 4001):
            text = text.replace(f":{n}", f":{port}")
        for kind, block in BLOCK.findall(text):
            if kind == "yaml":
                name, _, _ = block.removeprefix("# ").partition("\n")
                (self._folder / name).write_text(block)
                continue
            for typed in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, expected = typed.partition("\n")
                await self._type(command, expected)

    async def _type(self, command: str, expected: str) -> None:
        program, *words = shlex.split(command)
        if program == "pkill":
            number = {"-9": signal.SIGKILL, "-INT": signal.SIGINT}[words[0]]
            for each in [each for each in self._nodes if words[2] in each]:
                await self._end(each, number)
        elif words[0] == "serve":
            self._nodes[command] = await start(*words, cwd=self._folder, environ=self._environ)
            self._listening.create_task(self._nodes[command].communicate())
        else:
            await self._compare(program, words, expected)
            if words[:2] == ["context", "set"]:
                del self._environ["WIRE_SERVER"]

    async def _end(self, command: str, number: signal.Signals) -> None:
        process = self._nodes.pop(command)
        process.send_signal(number)
        async with asyncio.timeout(DEADLINE_S):
            await process.wait()

    async def _compare(self, program: str, words: list[str], expected: str) -> None:
        outcome = await self._run(program, words)
        if not expected:
            assert outcome.code == 0, f"{program} {shlex.join(words)}\n{outcome.out}{outcome.err}"
        elif program == "wire" and words[1] in SETTLES:

            async def settled() -> bool:
                nonlocal outcome
                outcome = await self._run(program, words)
                return plain(outcome.out) == plain(expected)

            with contextlib.suppress(TimeoutError):
                await comes_true(settled, DEADLINE_S)
            assert plain(outcome.out) == plain(expected), outcome.err
        else:
            printed = outcome.out if outcome.code == 0 else outcome.err
            assert plain(printed) == plain(expected), outcome.err

    async def _run(self, program: str, words: list[str]) -> Outcome:
        if program == "wire":
            return await wire(*words, cwd=self._folder, environ=self._environ)
        process = await asyncio.create_subprocess_exec(
            program, *words, cwd=self._folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )  # fmt: skip
        out, err = await process.communicate()
        return Outcome(process.returncode or 0, out.decode(), err.decode())


def plain(text: str) -> str:
    for pattern, word in VARIES.items():
        text = re.sub(pattern, word, text)
    return text


@pytest.mark.slow
@pytest.mark.timeout(540)
async def test_the_tour_of_the_cluster_does_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    async with asyncio.TaskGroup() as listening:
        tour = Tour(tmp_path, listening)
        try:
            await tour.follow((ROOT / "docs" / "cluster.md").read_text())
        finally:
            await tour.end()
    assert list((tmp_path / "out").glob("ticks.jsonl*"))
