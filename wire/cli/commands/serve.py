"""`wire serve`: a node of a cluster, in this process and its workers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import typer

from wire.cli.node_flags import with_node_flags
from wire.core.plugins import missing_dependency
from wire.node.loading import Loaded

if TYPE_CHECKING:
    from wire.node.config import NodeConfig
    from wire.node.serving import Ready

app = typer.Typer(add_completion=False)


@app.command()
@with_node_flags
def serve(loaded: Loaded) -> None:
    """Start a node. Without anything it is a cluster of one, for this machine only; Ctrl-C ends it."""
    from wire.cli.logs import log_of_a_node
    from wire.pipelines.engine.process import loop_factory

    try:
        from wire.node.data_dir import data_dir
        from wire.node.serving import serve as run
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] == "wire":
            raise
        raise missing_dependency("wire serve", "cluster", exc) from exc
    config = loaded.config
    log_of_a_node(config.log_level, config.log_format)
    with data_dir(config.folder, config.name) as data, asyncio.Runner(loop_factory=loop_factory()) as runner:

        async def main() -> None:
            stop = asyncio.Event()
            _stop_on_signals(stop)
            await run(config, data, os.environ, stop, lambda ready: _tell(ready, config))

        runner.run(main())


def _tell(ready: Ready, config: NodeConfig) -> None:
    """Say where the node is and what can be done next."""
    scheme = "https" if ready.secure else "http"
    print(f"node {ready.name} of cluster {ready.cluster}, data in {config.data_dir}", file=sys.stderr)
    print(f"  API   {scheme}://{ready.addresses[0]}/docs", file=sys.stderr)
    print(
        f"  next  curl --data-binary @pipeline.yaml -H 'content-type: application/yaml'"
        f" {scheme}://{ready.addresses[0]}/api/v1/pipelines",
        file=sys.stderr,
        flush=True,
    )


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Hand everything over at the first SIGINT or SIGTERM, quit at once at the second."""
    loop = asyncio.get_running_loop()

    def handle(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)  # nothing is lost: what was not handed over is taken over
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle, number)
