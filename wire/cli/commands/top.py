"""`wire top`: a cluster at work."""

from __future__ import annotations

from typing import Annotated

import typer

from wire.cli.remote.board import line, lines, look
from wire.cli.remote.client import Client
from wire.cli.remote.options import Namespace, with_client
from wire.cli.remote.watching import watch

app = typer.Typer(add_completion=False)


def top(
    client: Client,
    namespace: Namespace = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once, and end.")] = False,
) -> None:
    """Watch a cluster at work. Its nodes and pipelines, and who runs what; Ctrl-C ends it."""
    if once:
        print("\n".join(lines(look(client, namespace))))
    else:
        watch(lambda: lines(look(client, namespace)), lambda: line(look(client, namespace)))


app.command()(with_client(top))
