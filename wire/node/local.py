"""Runs one pipeline in this process, with its checkpoints in an embedded SQLite file: what `wire run` does."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from wire.core.clock import SystemClock
from wire.core.errors import root_cause
from wire.pipelines.engine.assembly import opened
from wire.pipelines.engine.checkpoints import SqliteCheckpoints
from wire.pipelines.engine.parts import build_parts
from wire.pipelines.engine.patience import within
from wire.pipelines.engine.process import share_the_interpreter, spare_the_collector
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.restarts import restarted
from wire.pipelines.engine.runner import Runner
from wire.pipelines.loaded import LoadedPipeline

_PROGRESS_S: Final = 0.25

OnProgress = Callable[[Progress], None]


async def run_pipeline(
    pipeline: LoadedPipeline,
    *,
    state_dir: Path,
    until_eof: bool,
    reset: bool,
    stop: asyncio.Event,
    on_progress: OnProgress,
) -> Progress:
    """Run until every source has ended or `stop` is set, and return the last progress.

    `until_eof` makes sources that would follow end at what is there now; `reset` forgets all earlier progress first.
    `on_progress` is called four times a second and once at the end, also of a run that fails. Raises UnavailableError
    when something can't be opened or the state folder is in use, FatalError when the pipeline has to stop.
    """
    progress = Progress()
    started = asyncio.get_running_loop().time()
    runner: Runner | None = None

    def report() -> None:
        progress.elapsed_s = asyncio.get_running_loop().time() - started
        on_progress(runner.update_progress() if runner else progress)

    clock, rng = SystemClock(), random.Random()  # noqa: S311 (jitter)

    async def start() -> None:
        async with contextlib.AsyncExitStack() as stack:

            async def open_() -> None:
                nonlocal runner
                runner = None
                parts = build_parts(pipeline, bounded=until_eof)
                runner = await stack.enter_async_context(opened(parts, store, progress, clock=clock, rng=rng))

            if not await within(stop, 0, open_()) or runner is None:
                return
            spare_the_collector()
            share_the_interpreter()
            await runner.run(stop)

    async with _reporting(report, progress), contextlib.AsyncExitStack() as stack:
        store = SqliteCheckpoints(state_dir)
        stack.push_async_callback(store.close)
        if reset:
            await store.reset()
        await restarted(start, stop, pipeline.spec.retry, progress, clock=clock, rng=rng)
        if stop.is_set():
            progress.state = "stopped"
    return progress


@contextlib.asynccontextmanager
async def _reporting(report: Callable[[], None], progress: Progress) -> AsyncIterator[None]:
    """Report while something is done and once it has ended, and raise the one error that says why it failed."""

    async def tick() -> None:
        while True:
            report()
            await asyncio.sleep(_PROGRESS_S)

    try:
        async with asyncio.TaskGroup() as tasks:
            ticker = tasks.create_task(tick())
            try:
                yield
            finally:
                ticker.cancel()
    except BaseExceptionGroup as group:
        progress.state = "failed"
        raise root_cause(group) from group
    finally:
        report()
