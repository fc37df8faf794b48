"""`wire schema`: the JSON Schema of what is written in YAML, for editors."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from wire.cli.output import Output, OutputFormat, print_data

app = typer.Typer(add_completion=False)


class Document(enum.StrEnum):
    """What there is a schema of."""

    PIPELINE = "pipeline"
    NODE = "node"


@app.command()
def schema(
    document: Annotated[
        Document, typer.Argument(help="A pipeline, or the configuration of a node.")
    ] = Document.PIPELINE,
    output: Output = OutputFormat.JSON,
) -> None:
    """Print the JSON Schema of pipelines. Editors complete and check with it; all installed components are in it."""
    from wire.pipelines.schema import config_schema, pipeline_schema

    if document is Document.PIPELINE:
        print_data(pipeline_schema(), output)
    else:
        from wire.node.config import NodeConfig

        print_data(config_schema(NodeConfig, "Wire node"), output)
