"""Asks before something is done that can't be undone."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wire.core.errors import ConfigError, Finding

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask first.")]


def confirm(what: str, yes: bool) -> None:
    """Return if it is to be done; ends the command where the user says no. Raises ConfigError if nobody can say."""
    if yes:
        return
    if not sys.stdin.isatty():
        message, hint = f"this {what}, and there is nobody here to confirm it", "--yes goes ahead without asking"
        raise ConfigError([Finding(code="client.not_confirmed", path="--yes", message=message, hint=hint)])
    if not typer.confirm(f"This {what}. Go ahead?", err=True):
        print("nothing was done", file=sys.stderr)
        raise typer.Exit(1)
