"""`wire serve`: a node of a cluster, in this process and its workers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from wire.cli.remote.contexts import DEFAULT_SERVER
from wire.core.plugins import missing_dependency

if TYPE_CHECKING:
    from wire.node.config import NodeConfig
    from wire.node.loading import Loaded
    from wire.node.serving import Ready

app = typer.Typer(add_completion=False)


class _Serve(TyperCommand):
    """The command as a list shows it, until its flags are asked for: they are made of all that a node imports."""

    def get_params(self, ctx: Any) -> list[Any]:
        if not self.params:
            from wire.cli.node_flags import with_node_flags

            whole = typer.Typer(add_completion=False)
            whole.command()(with_node_flags(_serve))
            command = typer.main.get_command(whole)
            self.params, self.callback = command.params, command.callback
        return super().get_params(ctx)


@app.command(cls=_Serve)
def serve() -> None:
    """Start a node. Without anything it is a cluster of one, for this machine only; Ctrl-C ends it."""


def _serve(loaded: Loaded) -> None:
    from wire.cli.logs import log_of_a_node
    from wire.pipelines.engine.process import (
        loop_factory,
        share_the_interpreter,
        spare_the_collector,
        use_all_descriptors,
    )

    try:
        from wire.node.data_dir import data_dir
        from wire.node.serving import serve as run
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] == "wire":
            raise
        raise missing_dependency("wire serve", "cluster", exc) from exc
    config = loaded.config
    log_of_a_node(config.log_level, config.log_format)
    use_all_descriptors()
    share_the_interpreter()  # heartbeats can't wait for a thread that thinks
    spare_the_collector()
    with data_dir(config.folder, config.name) as data, asyncio.Runner(loop_factory=loop_factory()) as runner:

        async def main() -> None:
            stop = asyncio.Event()
            _stop_on_signals(stop)
            await run(loaded, data, os.environ, stop, lambda ready: _tell(ready, config))

        runner.run(main())


def _tell(ready: Ready, config: NodeConfig) -> None:
    """Say where the node is and what can be done next."""
    server = f"http{'s' if ready.secure else ''}://{ready.addresses[0]}"
    print(f"node {ready.name} of cluster {ready.cluster}, data in {config.data_dir}", file=sys.stderr)
    print(f"  API   {server}/docs", file=sys.stderr)
    asked = "" if server == DEFAULT_SERVER else f" --server {server}"
    print(f"  next  wire pipeline apply pipeline.yaml{asked}", file=sys.stderr, flush=True)


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Hand everything over at the first SIGINT or SIGTERM, quit at once at the second."""
    loop = asyncio.get_running_loop()

    def handle(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)  # nothing is lost: what was not handed over is taken over
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle, number)
