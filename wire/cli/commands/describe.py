"""`wire describe`: what a component does, its fields, an example."""

from __future__ import annotations

import enum
import sys
import textwrap
from collections.abc import Sequence
from typing import Annotated, Any, Final, get_args

import typer

from wire.cli.output import Output, OutputFormat, print_data
from wire.cli.terminal import Style, table
from wire.core import plugins
from wire.core.config import suggest
from wire.core.errors import ConfigError, Finding

app = typer.Typer(add_completion=False)

_KINDS: Final[tuple[plugins.Kind, ...]] = get_args(plugins.Kind)
_LONGEST_DEFAULT: Final = 40


class OneKind(enum.StrEnum):
    """Where a name may be looked for."""

    SOURCE = "source"
    SINK = "sink"
    TRANSFORM = "transform"


def _names() -> list[str]:
    return sorted({name for kind in _KINDS for name in plugins.names(kind)})


@app.command()
def describe(
    name: Annotated[str, typer.Argument(help="The component; `wire list` shows them.", autocompletion=_names)],
    kind: Annotated[OneKind | None, typer.Option("--kind", help="Only the component of this kind.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Show what a component does. Its fields with their defaults, and an example."""
    kinds: tuple[plugins.Kind, ...] = (kind.value,) if kind else _KINDS
    found = {k: plugins.load(k, name) for k in kinds if name in plugins.names(k)}
    if not found:
        raise _unknown(name, kinds)
    if output is OutputFormat.TABLE:
        print("\n\n".join(_as_text(name, plugin) for plugin in found.values()))
    else:
        print_data([_as_data(name, plugin) for plugin in found.values()], output)


def _unknown(name: str, kinds: Sequence[plugins.Kind]) -> ConfigError:
    elsewhere = " and ".join(f"a {kind}" for kind in _KINDS if name in plugins.names(kind))
    known = sorted({known for kind in kinds for known in plugins.names(kind)})
    hint = f"it is {elsewhere}" if elsewhere else suggest(name, known) or "`wire list` shows what is installed"
    message = f"no {'source, sink or transform' if len(kinds) > 1 else kinds[0]} is called `{name}`"
    return ConfigError([Finding(code="config.unknown_component", path="$", message=message, hint=hint)])


def _as_data(name: str, plugin: plugins.Plugin) -> dict[str, Any]:
    from wire.pipelines.describe import describe as fields_of
    from wire.pipelines.describe import example

    return {
        "name": name,
        "kind": plugin.kind,
        "summary": plugin.summary,
        "extra": plugin.extra,
        "fields": fields_of(plugin.config),
        "example": example(name, plugin),
    }


def _as_text(name: str, plugin: plugins.Plugin) -> str:
    from wire.pipelines.describe import describe as fields_of
    from wire.pipelines.describe import example

    style = Style(sys.stdout)
    lines = [f"{style.bold(f'{name} {plugin.kind}')}  {plugin.summary}", ""]
    fields = fields_of(plugin.config)
    if fields and not fields[0].name:
        lines += [f"Configuration: {fields[0].type}. {fields[0].description}".rstrip(), ""]
        fields = fields[1:]
    if fields:
        rows = [[f.name, f.type, _default(f.default, f.required), f.description] for f in fields]
        lines += table(["FIELD", "TYPE", "DEFAULT", "DESCRIPTION"], rows, style)
    lines += [
        *([""] if lines[-1] else []),
        style.bold("Example"),
        "",
        *(f"  {line}" for line in example(name, plugin).splitlines()),
    ]
    if plugin.extra:
        lines += ["", f"Needs: pip install 'wire-cluster[{plugin.extra}]'"]
    return "\n".join(lines)


def _default(default: str | None, required: bool) -> str:
    if required:
        return "required"
    return textwrap.shorten(default or "", _LONGEST_DEFAULT, placeholder="…")
