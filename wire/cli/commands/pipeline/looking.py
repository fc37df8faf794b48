"""`wire pipeline list`, `get`, `status`, `tasks`, `checkpoints`, `kept` and `tap`: what there is, and how it goes."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated, Final

import typer

from wire.api import views
from wire.cli.output import Output, OutputFormat, print_data
from wire.cli.remote import rates, showing
from wire.cli.remote.client import Client
from wire.cli.remote.options import Namespace
from wire.cli.remote.rates import Meter
from wire.cli.remote.watching import watch
from wire.core.errors import ConfigError, Finding

_MORE_S: Final = 30.0
"""How much longer than it was asked to a node may watch out for records."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The pipeline's name.")]


def list_(client: Client, namespace: Namespace = None, output: Output = OutputFormat.TABLE) -> None:
    """List pipelines."""
    found = client.items(*client.pipelines(namespace))
    showing.show(found, list[views.Pipeline], output, showing.pipelines)


def get(client: Client, name: Name, namespace: Namespace = None, output: Output = OutputFormat.TABLE) -> None:
    """Show a pipeline with its specification."""
    showing.show(client.get(*client.pipelines(namespace, name)), views.Pipeline, output, showing.pipeline)


def status(
    client: Client,
    name: Name,
    namespace: Namespace = None,
    watched: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on, and show what changes; Ctrl-C ends it.")
    ] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Show how a pipeline is."""
    if watched and output is not OutputFormat.TABLE:
        message, hint = "--watch is for people", "leave it out, and ask again when you want to know"
        raise ConfigError([Finding(code="config.conflict", path="--output", message=message, hint=hint)])
    path, counted = (client.pipelines(namespace, name, part) for part in ("status", "metrics"))
    if watched:
        meter = Meter()
        watch(lambda: _lines(client, path, counted, meter), lambda: _line(client, path))
    elif output is OutputFormat.TABLE:
        found, figures = client.get(*path).to(views.PipelineStatus), client.get(*counted).to(views.PipelineFigures)
        print("\n".join(showing.status(found, rates.counted(figures))))
    else:
        print_data({**client.get(*path).plain(), "metrics": client.get(*counted).plain()}, output)


def _lines(client: Client, path: tuple[str, ...], counted: tuple[str, ...], meter: Meter) -> list[str]:
    found, figures = client.get(*path).to(views.PipelineStatus), client.get(*counted).to(views.PipelineFigures)
    received, sent = rates.in_and_out(meter.rates([figures]).get(figures.name))
    rows = [*rates.counted(figures), ("rate", f"{received} in, {sent} out")]
    return showing.status(found, rows)


def _line(client: Client, path: tuple[str, ...]) -> str:
    return showing.status_line(client.get(*path).to(views.PipelineStatus))


def tasks(client: Client, name: Name, namespace: Namespace = None, output: Output = OutputFormat.TABLE) -> None:
    """List tasks: which node runs them, and what they read."""
    found = client.items(*client.pipelines(namespace, name, "tasks"))
    showing.show(found, list[views.Task], output, showing.tasks)


def checkpoints(client: Client, name: Name, namespace: Namespace = None, output: Output = OutputFormat.TABLE) -> None:
    """List where a pipeline goes on after a restart. Also of a deleted one whose checkpoints are kept."""
    found = client.items(*client.pipelines(namespace, name, "checkpoints"))
    showing.show(found, list[views.Checkpoint], output, showing.checkpoints)


def kept(client: Client, namespace: Namespace = None, output: Output = OutputFormat.TABLE) -> None:
    """List deleted pipelines whose checkpoints are kept. `reset` forgets them."""
    found = client.items(*client.within(namespace, "checkpoints"))
    showing.show(found, list[views.KeptCheckpoints], output, showing.kept)


def tap(
    client: Client,
    name: Name,
    namespace: Namespace = None,
    records: Annotated[int, typer.Option(min=1, max=1000, help="End after so many.")] = 10,
    seconds: Annotated[int, typer.Option(min=1, max=300, help="End after so long.")] = 10,
) -> None:
    """Show samples of what passes through. As JSON lines; what is secret in them is masked."""
    path = client.pipelines(namespace, name, "tap")
    with (
        contextlib.suppress(BrokenPipeError),  # who reads has seen enough
        client.stream(*path, records=str(records), seconds=str(seconds), silence_s=seconds + _MORE_S) as answer,
    ):
        for piece in answer.pieces():
            sys.stdout.buffer.write(piece)
            sys.stdout.flush()
