"""Two of three nodes are gone for good: the third goes on, in the steps of docs/recovery.md."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

from tests.e2e.command import Outcome
from tests.e2e.nodes_kit import DEADLINE_S, copying, create, lines, numbered, reaches
from tests.e2e.test_three_nodes import cluster, have_votes
from tests.waiting import comes_true, until

RECOVER = "from wire.cli import main; main.COMMANDS['recover'] = 'recover'; main.main()"


async def recover(folder: Path, *flags: str) -> Outcome:
    """Run the command, with nobody at a terminal."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RECOVER, "recover", "--data-dir", folder, *flags),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())


def cluster_of(folder: Path) -> str:
    return str(json.loads((folder / "node.json").read_text())["cluster"])


async def test_one_of_three_goes_on_and_two_blank_nodes_join_it_again(tmp_path: Path) -> None:
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    async with cluster(tmp_path) as (nodes, clients):
        left, dead, foreign = nodes
        await create(clients[0], copying("copy", source, target, rate=600))
        await until(lambda: lines(target) > 200, DEADLINE_S)
        before = cluster_of(left.folder)
        running = await recover(left.folder, "--yes")
        assert (running.code, "node.data_in_use" in running.err) == (3, True)
        for node in (dead, foreign, left):
            await node.kill()
        shutil.rmtree(dead.folder)
        unsure = await recover(left.folder)
        assert (unsure.code, f"type {before}" in unsure.err, cluster_of(left.folder)) == (2, True, before)
        recovered = await recover(left.folder, "--yes")
        assert recovered.code == 0, recovered.err
        after = cluster_of(left.folder)
        assert after != before
        for words in (f"cluster {before}: n1", f"cluster {after}: n1", "lost     n2, n3", "never start them again"):
            assert words in recovered.out
        async with left.running() as client:
            async with foreign.started():  # what must not be done does this cluster no harm
                await until(lambda: f"this is cluster {after}, not {before}" in foreign.said, DEADLINE_S)
            shutil.rmtree(foreign.folder)
            async with dead.running(), foreign.running():
                await comes_true(lambda: have_votes(client), DEADLINE_S)
                await reaches(client, "copy", "done")
    assert target.read_bytes() == source.read_bytes()
