"""The flags of a node, made from its configuration: what `wire serve --help` says, and what it takes."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from wire.cli.report import print_findings
from wire.core.config import description, fields_of
from wire.node.config import NodeConfig
from wire.node.loading import (
    CONFIG_FLAG,
    CONFIG_VARIABLE,
    Given,
    Loaded,
    NodeConfigError,
    flag,
    is_switch,
    load,
    takes_several,
    variable,
)
from wire.pipelines.describe import default_of, inline

_CONFIG_HELP: Final = "A YAML or JSON file of these settings, each named as here but with _ for -."


def with_node_flags(command: Callable[[Loaded], None]) -> Callable[..., None]:
    """Return the command with a flag for each field of `NodeConfig` and for its file.

    It is given the configuration that comes of flags, environment and file. Mistakes in it are reported on standard
    error, and end the command with 2 before it begins.
    """

    def with_flags(**flags: Given | None) -> None:
        try:
            loaded = load(flags, os.environ)
        except NodeConfigError as exc:
            _report(exc)
            raise typer.Exit(exc.exit_code) from None
        command(loaded)

    help_ = _help(_CONFIG_HELP, "", CONFIG_VARIABLE)
    parameters = [_parameter("config", Annotated[str | None, typer.Option(CONFIG_FLAG, help=help_)])]
    parameters += [_parameter(field.name, _annotation(field)) for field in fields_of(NodeConfig)]
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # that is where inspect looks
    with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    with_flags.__doc__ = command.__doc__
    with_flags.__name__ = command.__name__
    return with_flags


def _report(exc: NodeConfigError) -> None:
    """Print the findings, those in the file with the line they point to."""
    for finding in exc.findings:
        file = None if exc.file is None or finding.line is None else str(exc.file)
        print_findings([finding], file, exc.lines, sys.stderr)


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _annotation(field: Any) -> Any:
    default = default_of(field)
    shown = "" if default in (None, False, [], {}) else inline(default)
    help_ = _help(description(field.type) or "", shown, variable(field.name))
    option = typer.Option(flag(field.name), help=help_, show_default=False)
    if is_switch(field.type):
        return Annotated[bool | None, option]
    return Annotated[list[str] | None, option] if takes_several(field.type) else Annotated[str | None, option]


def _help(text: str, default: str, name: str) -> str:
    """Return what the help says of a flag; no brackets, which would be markup to a terminal."""
    return f"{text} ({f'{default} unless given; ' if default else ''}{name})"
