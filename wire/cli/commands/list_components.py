"""`wire list`: which sources, sinks and transforms are installed."""

from __future__ import annotations

import enum
from typing import Annotated, Final

import typer

from wire.cli.output import Output, OutputFormat, print_data, print_table
from wire.core import plugins
from wire.core.errors import UnavailableError

app = typer.Typer(add_completion=False)


class Kinds(enum.StrEnum):
    """What can be listed."""

    SOURCES = "sources"
    SINKS = "sinks"
    TRANSFORMS = "transforms"


_KINDS: Final[dict[Kinds, plugins.Kind]] = {
    Kinds.SOURCES: "source",
    Kinds.SINKS: "sink",
    Kinds.TRANSFORMS: "transform",
}


@app.command()
def list_components(
    kind: Annotated[Kinds | None, typer.Argument(help="Only these.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """List the sources, sinks and transforms that are installed."""
    kinds = [_KINDS[kind]] if kind else list(_KINDS.values())
    rows = [{"kind": k, "name": name, "summary": _summary(k, name)} for k in kinds for name in plugins.names(k)]
    if output is OutputFormat.TABLE:
        print_table(["KIND", "NAME", "WHAT IT DOES"], [list(row.values()) for row in rows])
    else:
        print_data(rows, output)


def _summary(kind: plugins.Kind, name: str) -> str:
    try:
        return plugins.load(kind, name).summary
    except UnavailableError as exc:
        return f"(can't be loaded: {exc.message})"
