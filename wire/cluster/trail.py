"""The trail of changes: who changed what, when."""

from __future__ import annotations

from typing import Final

from wire.cluster.commands import Command
from wire.cluster.state import Change, State

MAX_CHANGES: Final = 10_000
"""Weeks of a busy cluster, in a MiB or two. What is to be kept longer is exported."""


def record(state: State, index: int, command: Command, subject: str, detail: str = "") -> None:
    """Write down what a command has changed."""
    action = str(command.__struct_config__.tag)
    change = Change(index=index, at_ms=state.now_ms, actor=command.actor, action=action, subject=subject, detail=detail)
    state.changes.append(change)
    del state.changes[:-MAX_CHANGES]
