"""Two of three nodes are gone for good: the third goes on, in the steps of docs/recovery.md."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.e2e.command import wire
from tests.e2e.nodes_kit import DEADLINE_S, copying, create, lines, numbered, reaches
from tests.e2e.test_three_nodes import cluster, have_votes
from tests.waiting import comes_true, until


def cluster_of(folder: Path) -> str:
    return str(json.loads((folder / "node.json").read_text())["cluster"])


async def test_one_of_three_goes_on_and_two_blank_nodes_join_it_again(tmp_path: Path) -> None:
    source, target = numbered(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    async with cluster(tmp_path) as (nodes, clients):
        left, dead, foreign = nodes
        await create(clients[0], copying("copy", source, target, rate=600))
        await until(lambda: lines(target) > 200, DEADLINE_S)
        before = cluster_of(left.folder)
        running = await wire("cluster", "recover", "--data-dir", left.folder, "--yes", cwd=tmp_path)
        assert (running.code, "node.data_in_use" in running.err) == (3, True)
        for node in (dead, foreign, left):
            await node.kill()
        shutil.rmtree(dead.folder)
        unsure = await wire("cluster", "recover", "--data-dir", left.folder, cwd=tmp_path)
        assert (unsure.code, f"type {before}" in unsure.err, cluster_of(left.folder)) == (2, True, before)
        recovered = await wire("cluster", "recover", "--data-dir", left.folder, "--yes", cwd=tmp_path)
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
