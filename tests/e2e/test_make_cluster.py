"""What `make cluster` starts: three nodes that go on without the one that is killed, and nothing that stays behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.e2e.command import DEADLINE_S, wire
from tests.waiting import comes_true, until

ROOT = Path(__file__).parents[2]
ENVIRON = {"WIRE_CONTEXTS": "build/cluster/contexts.json"}


@pytest.mark.slow
async def test_three_nodes_are_started_shown_and_ended(tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "configs/cluster/start.py", cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(3 * DEADLINE_S):
            shown = (await process.stdout.readuntil(b"/api/v1/cluster\n")).decode()
        assert "nodes    3, of which 3 vote" in shown
        assert "cancelled-flights: created, version 1" in shown
        pids = children(process.pid)
        assert len(pids) == 3
        killed = re.search(r"kill -9 (\d+) +# (node-\d) dies", shown)
        assert killed
        os.kill(int(killed[1]), signal.SIGKILL)
        await comes_true(lambda: runs_elsewhere(tmp_path, killed[2]), 2 * DEADLINE_S)
        os.kill(next(pid for pid in pids if pid != int(killed[1])), signal.SIGSTOP)  # it will not end when asked to
    finally:
        process.send_signal(signal.SIGINT)
        rest = await process.stdout.readuntil(b"ending the nodes\n")
        for again in (signal.SIGINT, signal.SIGTERM):  # who is in a hurry, and `make`, which passes on what it gets
            process.send_signal(again)
        await process.wait()
    assert process.returncode == 0
    assert rest.decode().splitlines() == [f"{killed[2]} has ended, with -9", "ending the nodes"]
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def runs_elsewhere(folder: Path, killed: str) -> bool:
    found = await wire("pipeline", "status", "delayed-flights", "-o", "json", cwd=folder, environ=ENVIRON)
    if found.code:
        return False
    status = json.loads(found.out)
    return bool(status["state"] == "running" and killed not in status["nodes"])
