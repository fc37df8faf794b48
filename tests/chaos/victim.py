"""A `wire run` process that a test starts, kills at a random moment, and starts again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.command import start

DEADLINE_S = 300.0
IDLE_S = 5.0


class Victim:
    """One pipeline, its state folder, and the processes that run it one after the other."""

    def __init__(self, folder: Path, spec: dict[str, Any]) -> None:
        self.folder = folder
        self.pipeline = folder / "pipeline.yaml"
        self.pipeline.write_text(json.dumps(spec))  # JSON is YAML
        self.kills = 0

    async def run_and_kill(self, rng: random.Random, grown: Callable[[], int]) -> None:
        """Start it, wait until `grown` shows that it works (or it ends), then SIGKILL it up to 300 ms later."""
        before = grown()
        process = await self.start()
        try:
            with contextlib.suppress(TimeoutError):  # nothing left to move: it is killed at rest
                async with asyncio.timeout(IDLE_S):
                    while grown() == before and process.returncode is None:
                        await asyncio.sleep(0.005)
            await asyncio.sleep(rng.uniform(0, 0.3))
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
                self.kills += 1
            _, errors = await process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), errors.decode()

    async def run_to_the_end(self) -> str:
        """Run until everything that is there has been moved; return what it said."""
        process = await self.start("--until-eof")
        async with asyncio.timeout(DEADLINE_S):
            output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return output.decode()

    async def start(self, *options: str) -> asyncio.subprocess.Process:
        """Start a process that runs the pipeline; the caller ends it."""
        return await start("run", self.pipeline, "--state-dir", self.folder / "state", *options, cwd=self.folder)


def growth(folder: Path) -> int:
    """Return the bytes in a folder, all files together: it changes when something works there."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # it was renamed since it was listed
            continue
    return total
