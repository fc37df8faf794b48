"""`wire context`: which cluster the commands mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs

from wire.cli.output import Output, OutputFormat, print_data, print_table
from wire.cli.remote.addresses import parse_addresses
from wire.cli.remote.contexts import Context, Contexts, choose, path_of, read, write
from wire.core.config import MisfitError
from wire.core.errors import ConfigError, Finding

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Say which cluster the commands mean. That is kept in ~/.config/wire/contexts.json, or WIRE_CONTEXTS.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The context's name.")]


@app.command("list")
def list_(output: Output = OutputFormat.TABLE) -> None:
    """List contexts."""
    known = read(path_of(os.environ))
    if output is not OutputFormat.TABLE:
        print_data(known, output)
        return
    rows = [
        ["*" if name == known.current else "", name, " ".join(each.servers), each.namespace or "default"]
        for name, each in known.contexts.items()
    ]
    print_table(["IN USE", "NAME", "SERVERS", "NAMESPACE"], rows)


@app.command()
def use(name: Name) -> None:
    """Use a context from now on."""
    path = path_of(os.environ)
    known = read(path)
    known.require(name, "NAME")
    write(path, structs.replace(known, current=name))
    print(f"{name}: in use")


@app.command("set")
def set_(
    name: Name,
    servers: Annotated[
        list[str] | None, typer.Option("--server", metavar="URL", help="Where a node is; may be repeated.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="File of the cluster's authority.")] = None,
    cert: Annotated[Path | None, typer.Option(help="File of the certificate to show.")] = None,
    key: Annotated[Path | None, typer.Option(help="File of its private key.")] = None,
    namespace: Annotated[str | None, typer.Option(help="The namespace that is meant unless another is named.")] = None,
) -> None:
    """Make a context, or change what is given of it. The first one is used from then on."""
    path = path_of(os.environ)
    known = read(path)
    given = {"ca": _file("ca", ca), "cert": _file("cert", cert), "key": _file("key", key), "namespace": namespace}
    changes = {name: value for name, value in given.items() if value is not None}
    made = structs.replace(known.contexts.get(name, Context()), **changes)
    if servers:
        found = parse_addresses(servers, secure=made.ca is not None)
        made = structs.replace(made, servers=tuple(map(str, found)))
    try:
        _ = made.tls
    except MisfitError as exc:
        raise _mistake("--key", str(exc).replace("`", ""), exc.hint) from None
    contexts = {**known.contexts, name: made}
    write(path, Contexts(current=known.current or name, contexts=contexts))
    print(f"{name}: {'changed' if name in known.contexts else 'made'}{', in use' if not known.current else ''}")


def _file(name: str, path: Path | None) -> str | None:
    """Return a file by a path that holds wherever the command is called. Raises ConfigError if there is none."""
    if path is not None and not path.is_file():
        raise _mistake(f"--{name}", f"there is no file {path}", "`wire certs` makes certificates")
    return None if path is None else str(path.absolute())


@app.command()
def delete(name: Name) -> None:
    """Forget a context. The cluster is not touched."""
    path = path_of(os.environ)
    known = read(path)
    known.require(name, "NAME")
    left = {other: each for other, each in known.contexts.items() if other != name}
    write(path, Contexts(current=None if known.current == name else known.current, contexts=left))
    print(f"{name}: forgotten{'; no context is in use now' if known.current == name else ''}")


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The context; the one in use unless given.")
    ] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Show a context, or what holds now. Variables included."""
    known = read(path_of(os.environ))
    if name is None:
        chosen = choose(known, None, None, os.environ)
        context, title = chosen.context, f"{chosen.name or 'no context'} ({chosen.why})"
    else:
        context, title = known.require(name, "NAME"), name
    if output is not OutputFormat.TABLE:
        print_data(context, output)
        return
    print(title)
    rows = {"servers": " ".join(context.servers), "namespace": context.namespace or "default"}
    rows |= {field: value for field in ("ca", "cert", "key") if (value := getattr(context, field)) is not None}
    for field, text in rows.items():
        print(f"  {field:<11}{text}")


def _mistake(path: str, message: str, hint: str) -> ConfigError:
    return ConfigError([Finding(code="config.invalid", path=path, message=message, hint=hint)])
