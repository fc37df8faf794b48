"""`wire schema`: the JSON Schema of pipelines, for editors."""

from __future__ import annotations

import typer

from wire.cli.output import Output, OutputFormat, print_data

app = typer.Typer(add_completion=False)


@app.command()
def schema(output: Output = OutputFormat.JSON) -> None:
    """Print the JSON Schema of pipelines. Editors complete and check with it; all installed components are in it."""
    from wire.pipelines.schema import pipeline_schema

    print_data(pipeline_schema(), output)
