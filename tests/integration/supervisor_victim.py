"""`python -m tests.integration.supervisor_victim [FUNCTION FOLDER]`: a node's process to be killed.

It runs two workers with a task each, prints their process ids once both are at it, and waits. With FUNCTION the tasks
call that, and it leaves marks in FOLDER.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from tests.integration.workers_kit import SETTINGS, Cluster, calling, endless
from tests.waiting import until


async def main(function: str | None, folder: Path) -> None:
    cluster = Cluster(msgspec.structs.replace(SETTINGS, count=2))
    async with cluster.running():
        pids = await cluster.pids(2)
        names = ["p0", "p1"]
        if function is None:
            runs = [cluster.begin(endless(name), "generate") for name in names]
            await until(lambda: all(cluster.read(run) for run in runs))
        else:
            for name in names:
                cluster.begin(calling(name, function, folder / name), "generate")
            await until(lambda: all((folder / name).exists() for name in names))
        print(*pids, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2] or [None], Path(*sys.argv[2:])))
