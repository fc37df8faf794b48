"""`wire run`: one pipeline in this process, with its progress kept in a folder."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wire.cli.loading import Assignments, load
from wire.cli.report import print_findings
from wire.core.errors import WireError

if TYPE_CHECKING:
    from wire.pipelines.engine.progress import Progress
    from wire.pipelines.loaded import LoadedPipeline

app = typer.Typer(add_completion=False)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="PIPELINE", help="The pipeline, in YAML or JSON.")],
    state_dir: Annotated[
        Path | None,
        typer.Option(help="Where progress is kept between runs.", show_default="wire-data/run/NAME"),
    ] = None,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="End at what the sources hold now instead of waiting for more.")
    ] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Forget all earlier progress and start anew.")] = False,
    assignments: Assignments = None,
) -> None:
    """Run a pipeline here, until its source ends or Ctrl-C. Run again, it goes on where it stopped."""
    from wire.cli.logs import log_to_stderr
    from wire.cli.progress import summary
    from wire.pipelines.engine.process import loop_factory

    result = load(file, assignments)
    pipeline = result.require()
    log_to_stderr()
    folder = state_dir or Path("wire-data", "run", pipeline.spec.name)
    known = folder.exists()
    watch = _Watch()
    failure: WireError | None = None
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_run(pipeline, watch, folder, until_eof=until_eof, reset=reset))
    except WireError as exc:
        failure = exc
    if watch.last.read or failure is None:
        print(summary(pipeline, watch.last), file=sys.stderr)
    if watch.last.state == "done" and not watch.last.read and known and not reset:
        print("  nothing new since the last run; --reset starts anew", file=sys.stderr)
    if failure is not None:
        print_findings(result.placed(failure), str(file), result.lines, sys.stderr)
        raise typer.Exit(failure.exit_code)


class _Watch:
    """Keeps the newest progress, which is all there is to tell about a run that fails."""

    def __init__(self) -> None:
        from wire.pipelines.engine.progress import Progress

        self.last = Progress()


async def _run(pipeline: LoadedPipeline, watch: _Watch, state_dir: Path, *, until_eof: bool, reset: bool) -> None:
    from wire.cli.progress import view
    from wire.node.local import run_pipeline

    stop = asyncio.Event()
    _stop_on_signals(stop)
    with view(pipeline) as shown:

        def on_progress(progress: Progress) -> None:
            watch.last = progress
            shown.update(progress)

        await run_pipeline(
            pipeline, state_dir=state_dir, until_eof=until_eof, reset=reset, stop=stop, on_progress=on_progress
        )


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Drain at the first SIGINT or SIGTERM, quit at once at the second."""
    loop = asyncio.get_running_loop()

    def handle(number: int) -> None:
        if stop.is_set():
            print("\x1b[?25h" if sys.stderr.isatty() else "", file=sys.stderr, end="", flush=True)  # the cursor
            os._exit(128 + number)  # nothing is lost: the next run goes on from the last checkpoint
        stop.set()
        print("stopping: writing out what was read (Ctrl-C again quits at once)", file=sys.stderr, flush=True)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle, number)
