"""The flags of a node, made from its configuration: what `wire serve --help` says, and what it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from wire.core.config import description, fields_of
from wire.node.config import NodeConfig
from wire.node.loading import CONFIG_FLAG, CONFIG_VARIABLE, Given, flag, is_switch, takes_several, variable
from wire.pipelines.describe import default_of, inline

_CONFIG_HELP: Final = "A YAML or JSON file with these settings, named as here with _ for -."


def with_node_flags(command: Callable[[dict[str, Given | None]], None]) -> Callable[..., None]:
    """Return the command with a flag for each field of `NodeConfig` and for its file; it is given those by field."""

    def with_flags(**flags: Given | None) -> None:
        command({name: given or None for name, given in flags.items()})

    parameters = [
        _parameter(
            "config", Annotated[str | None, typer.Option(CONFIG_FLAG, help=_help(_CONFIG_HELP, "", CONFIG_VARIABLE))]
        )
    ]
    for field in fields_of(NodeConfig):
        parameters.append(_parameter(field.name, _annotation(field)))
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # that is where inspect looks
    with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    with_flags.__doc__ = command.__doc__
    with_flags.__name__ = command.__name__
    return with_flags


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _annotation(field: Any) -> Any:
    default = default_of(field)
    shown = "" if default in (None, False, [], {}) else inline(default)
    option = typer.Option(
        flag(field.name), help=_help(description(field.type) or "", shown, variable(field.name)), show_default=False
    )
    if is_switch(field.type):
        return Annotated[bool | None, option]
    return Annotated[list[str] | None, option] if takes_several(field.type) else Annotated[str | None, option]


def _help(text: str, default: str, name: str) -> str:
    """Return what the help says of a flag; no brackets, which would be markup to a terminal."""
    return f"{text} ({f'{default} unless given; ' if default else ''}{name})"
