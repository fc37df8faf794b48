"""`wire top`: a cluster at work."""

from __future__ import annotations

from typing import Annotated

import typer

from wire.cli.output import OutputFormat, print_data
from wire.cli.remote.board import line, lines, look
from wire.cli.remote.client import Client
from wire.cli.remote.options import Namespace, with_client
from wire.cli.remote.rates import Meter
from wire.cli.remote.watching import watch

app = typer.Typer(add_completion=False)


def top(
    client: Client,
    namespace: Namespace = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once, and end.")] = False,
    output: Annotated[
        OutputFormat, typer.Option("-o", "--output", help="How to write the result; as data it is written once.")
    ] = OutputFormat.TABLE,
) -> None:
    """Watch a cluster at work. Its nodes and pipelines, who runs what, and how fast; Ctrl-C ends it."""
    meter = Meter()
    if output is not OutputFormat.TABLE:
        print_data(look(client, namespace, meter), output)
    elif once:
        print("\n".join(lines(look(client, namespace, meter))))
    else:
        watch(lambda: lines(look(client, namespace, meter)), lambda: line(look(client, namespace, meter)))


app.command()(with_client(top))
