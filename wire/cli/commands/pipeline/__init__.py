"""`wire pipeline`: the pipelines of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import typer

from wire.cli.commands.pipeline import applying, looking, steering, versions
from wire.cli.remote.options import with_client

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Run pipelines on a cluster, look at them, change them."
)

_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "apply": applying.apply,
    "list": looking.list_,
    "get": looking.get,
    "status": looking.status,
    "tasks": looking.tasks,
    "checkpoints": looking.checkpoints,
    "kept": looking.kept,
    "tap": looking.tap,
    "pause": steering.pause,
    "resume": steering.resume,
    "stop": steering.stop,
    "start": steering.start,
    "restart": steering.restart,
    "reset": steering.reset,
    "delete": steering.delete,
    "history": versions.history,
    "diff": versions.diff,
    "rollback": versions.rollback,
}

for _name, _command in _COMMANDS.items():
    app.command(_name)(with_client(_command))
