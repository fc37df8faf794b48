"""`-o table|json|yaml`: what a command found, for people or for programs, on standard output."""

from __future__ import annotations

import enum
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from wire.cli.terminal import Style, table


class OutputFormat(enum.StrEnum):
    """How a command writes what it found."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[OutputFormat, typer.Option("-o", "--output", help="How to write the result.")]


def print_data(data: Any, output: OutputFormat) -> None:
    """Print plain data as JSON or YAML."""
    if output is OutputFormat.YAML:
        import yaml

        print(yaml.safe_dump(msgspec.to_builtins(data), sort_keys=False, allow_unicode=True), end="")
    else:
        print(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns."""
    print("\n".join(table(headings, rows, Style(sys.stdout))))
