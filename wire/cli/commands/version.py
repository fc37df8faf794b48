"""`wire version`."""

from __future__ import annotations

import platform

import typer

from wire import __version__
from wire.cli.output import Output, OutputFormat, print_data

app = typer.Typer(add_completion=False)


@app.command()
def version(output: Output = OutputFormat.TABLE) -> None:
    """Print the version of Wire and of Python."""
    if output is OutputFormat.TABLE:
        print(f"wire {__version__} (Python {platform.python_version()})")
    else:
        print_data({"wire": __version__, "python": platform.python_version()}, output)
