"""`wire completion`: the script that makes the shell complete commands, options and component names."""

from __future__ import annotations

import enum
import os
from pathlib import Path
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined] # there since 0.1, never re-exported

app = typer.Typer(add_completion=False)


class Shell(enum.StrEnum):
    """The shells there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def completion(
    shell: Annotated[Shell | None, typer.Argument(help="The shell; that of $SHELL unless given.")] = None,
) -> None:
    """Print the completion script of a shell. As in `source <(wire completion bash)`."""
    print(get_completion_script(prog_name="wire", complete_var="_WIRE_COMPLETE", shell=shell or _own_shell()))


def _own_shell() -> Shell:
    name = Path(os.environ.get("SHELL", "")).name
    return Shell(name) if name in set(Shell) else Shell.BASH
