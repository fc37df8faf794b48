"""Runs one pipeline in this process, with its checkpoints in an embedded SQLite file: what `wire run` does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from wire.core.clock import SystemClock
from wire.core.errors import root_cause
from wire.pipelines.building import build_sink, build_source, build_transforms, plan_output
from wire.pipelines.engine.assembly import Parts, SinkPart, SourcePart, opened
from wire.pipelines.engine.checkpoints import SqliteCheckpoints
from wire.pipelines.engine.patience import within
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.runner import Runner
from wire.pipelines.loaded import Component, LoadedPipeline
from wire.pipelines.plan import OutputPlan, compile_stage
from wire.pipelines.stage import Stage

_PROGRESS_S: Final = 0.25
_SWITCH_S: Final = 0.0005
"""A busy event loop gives up the interpreter's lock so often and so shortly that a thread hardly ever gets it: with
Python's 5 ms some checkpoints took over a second, with this none took 30 ms, at the same throughput."""

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

    async with _reporting(report, progress), contextlib.AsyncExitStack() as stack:
        store = SqliteCheckpoints(state_dir)
        stack.push_async_callback(store.close)
        if reset:
            await store.reset()

        async def open_() -> None:
            nonlocal runner
            parts = _build(pipeline, bounded=until_eof)
            runner = await stack.enter_async_context(
                opened(parts, store, progress, clock=SystemClock(), rng=random.Random())  # noqa: S311 (jitter)
            )

        if not await within(stop, 0, open_()) or runner is None:
            progress.state = "stopped"
            return progress
        _spare_the_collector()
        sys.setswitchinterval(_SWITCH_S)
        await runner.run(stop)
    return progress


def _build(pipeline: LoadedPipeline, *, bounded: bool) -> Parts:
    sinks = [SinkPart(sink.name, sink.type, sink.path, build_sink(sink, pipeline)) for sink in pipeline.sinks]
    outputs = [plan_output(sink, part.sink.format) for sink, part in zip(pipeline.sinks, sinks, strict=True)]
    sources = [_source(component, pipeline, outputs, bounded=bounded) for component in pipeline.sources]
    dead = pipeline.dead_letter
    dead_letter = SinkPart(dead.name, dead.type, dead.path, build_sink(dead, pipeline)) if dead else None
    return Parts(pipeline.spec, sources, sinks, dead_letter)


def _source(
    component: Component, pipeline: LoadedPipeline, outputs: Sequence[OutputPlan], *, bounded: bool
) -> SourcePart:
    source = build_source(component, pipeline, bounded=bounded)

    def compiled() -> Stage:
        return compile_stage(source.format, component.name, build_transforms(pipeline), outputs, component.path)

    return SourcePart(component.name, component.type, component.path, source, compiled, bounded)


def _spare_the_collector() -> None:
    """Keep what was made at start out of every later collection, and collect young objects less often.

    The engine makes no cycles; decoded records die by reference count. A full collection over everything imported
    would stall the loop for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


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
