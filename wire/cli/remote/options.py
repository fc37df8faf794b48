"""The flags of every command that asks a cluster."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from wire.cli.remote.addresses import parse_addresses
from wire.cli.remote.client import Client
from wire.cli.remote.contexts import choose, path_of, read
from wire.core.errors import ConfigError, Finding
from wire.core.units import Duration

Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="The namespace; the context's unless given.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it is so, or has failed.")]

_FLAGS = {
    "context": Annotated[
        str | None, typer.Option(help="The context to use instead of the one in use. (WIRE_CONTEXT)", metavar="NAME")
    ],
    "server": Annotated[
        list[str] | None,
        typer.Option(help="Where a node is, as in https://node-1:4001; may be repeated. (WIRE_SERVER)", metavar="URL"),
    ],
    "patience": Annotated[
        str | None,
        typer.Option(
            help="How long to try again where no node answers, or none leads; some seconds unless given.",
            metavar="DURATION",
        ),
    ],
}


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with flags that say which cluster is meant; it is given a client for that.

    Its first parameter is the client.
    """
    hints = get_type_hints(command, include_extras=True)
    client, *own = inspect.signature(command).parameters.values()
    kept = [each.replace(annotation=hints[each.name]) for each in own]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _FLAGS.items()
    ]

    def with_flags(**flags: Any) -> None:
        context, servers, patience = (flags.pop(name) for name in _FLAGS)
        chosen = choose(read(path_of(os.environ)), context, ",".join(servers or ()), os.environ).context
        addresses = parse_addresses(chosen.servers, secure=chosen.ca is not None)
        patience_s = None if patience is None else _seconds(patience)
        with Client(addresses, chosen.tls, patience_s, chosen.namespace or "default") as asking:
            command(**{client.name: asking}, **flags)

    parameters = [*(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in kept), *added]
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # that is where inspect looks
    with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    with_flags.__doc__, with_flags.__name__ = command.__doc__, command.__name__
    return with_flags


def _seconds(text: str) -> float:
    try:
        return Duration.parse(text).s
    except ValueError as exc:
        raise ConfigError([Finding(code="config.invalid", path="--patience", message=str(exc))]) from None
