"""`wire certs`: a private authority, and certificates for nodes and clients."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wire.core.errors import ConfigError, Finding
from wire.core.plugins import missing_dependency

if TYPE_CHECKING:
    from wire.node.certificate_folder import CertificateFolder, Written

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Make certificates: a private authority, then one for each node."
)

Folder = Annotated[Path, typer.Option("--dir", help="The folder of the authority and of what it issues.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace files that are there already.")]


@app.command()
def init(
    folder: Folder = Path("certs"),
    name: Annotated[str, typer.Option(help="What the authority is called.")] = "Wire cluster authority",
    days: Annotated[int, typer.Option(min=1, max=36500, help="How long it is good.")] = 3650,
    replace: Replace = False,
) -> None:
    """Make the cluster's own authority. Whoever has its key can be any node: keep it off the nodes."""
    written = _certificates(folder).init(name, timedelta(days=days), datetime.now(UTC), replace=replace)
    _tell(written)
    print(f"next: wire certs issue NODE --host HOST{_in(folder)}, once for each node")


@app.command()
def issue(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The node's name, that of its --node-id.")],
    hosts: Annotated[
        list[str] | None, typer.Option("--host", help="A name or address the node is reached by; may be repeated.")
    ] = None,
    client: Annotated[
        bool, typer.Option("--client", help="For somebody who uses the API instead of a node, called NAME.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, max=36500, help="How long it is good.")] = 365,
    folder: Folder = Path("certs"),
    replace: Replace = False,
) -> None:
    """Issue a certificate for a node, or with --client for a user of the API. Renewed files are used by themselves."""
    lifetime, now = timedelta(days=days), datetime.now(UTC)
    if client:
        _refuse_hosts(hosts)
        written = _certificates(folder).issue_client(name, lifetime, now, replace=replace)
    else:
        written = _certificates(folder).issue_node(name, hosts or (), lifetime, now, replace=replace)
    _tell(written)
    files = f"--ca {folder / 'ca.pem'} --cert {written.certificate} --key {written.key}"
    if client:
        print(f"next: wire context set NAME --server https://HOST:4001 {files}")
    else:
        print(f"next: wire serve --node-id {name} {files}")


def _certificates(folder: Path) -> CertificateFolder:
    try:
        from wire.node.certificate_folder import CertificateFolder
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] == "wire":
            raise
        raise missing_dependency("wire certs", "cluster", exc) from exc
    return CertificateFolder(folder)


def _refuse_hosts(hosts: Sequence[str] | None) -> None:
    if hosts:
        message, hint = "a client is not reached by anybody", "leave out --host, or --client"
        raise ConfigError([Finding(code="config.conflict", path="--host", message=message, hint=hint)])


def _tell(written: Written) -> None:
    print(f"wrote {written.certificate}, good until {written.validity.ends:%Y-%m-%d}, and its key {written.key}")


def _in(folder: Path) -> str:
    return "" if folder == Path("certs") else f" --dir {folder}"
