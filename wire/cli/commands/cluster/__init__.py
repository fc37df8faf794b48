"""`wire cluster`: a cluster, its nodes, and who may become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import typer

from wire.cli.commands.cluster import keeping, looking, nodes, recovering, tokens
from wire.cli.remote.options import with_client

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Look at a cluster, let nodes in and out, keep its state safe."
)

_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "status": looking.status,
    "members": looking.members,
    "join": nodes.join,
    "leave": nodes.leave,
    "remove": nodes.remove,
    "drain": nodes.drain,
    "undrain": nodes.undrain,
    "transfer": nodes.transfer,
    "snapshot": keeping.snapshot,
    "backup": keeping.backup,
    "restore": keeping.restore,
}
_TOKENS: Final[dict[str, Callable[..., None]]] = {
    "create": tokens.create,
    "list": tokens.list_,
    "revoke": tokens.revoke,
}

for _name, _command in _COMMANDS.items():
    app.command(_name)(with_client(_command))
app.command("recover")(recovering.recover)

_tokens = typer.Typer(no_args_is_help=True, help="Tokens, which let new nodes in.")
for _name, _command in _TOKENS.items():
    _tokens.command(_name)(with_client(_command))
app.add_typer(_tokens, name="token")
