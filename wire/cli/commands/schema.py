"""`wire schema`: the JSON Schema of pipelines, for editors."""

from __future__ import annotations

import typer

from wire.cli.output import Output, OutputFormat, print_data

app = typer.Typer()


@app.command()
def schema(output: Output = OutputFormat.JSON) -> None:
    """Print the JSON Schema of pipelines, all installed components included, for editors that complete and check."""
    from wire.pipelines.schema import pipeline_schema

    print_data(pipeline_schema(), output)
