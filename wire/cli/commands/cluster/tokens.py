"""`wire cluster token`: what lets new nodes in."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from wire.cli.commands.cluster.nodes import JSON
from wire.cli.output import Output, OutputFormat, print_data, print_table
from wire.cli.remote import showing
from wire.cli.remote.client import Client
from wire.cli.remote.leading import CLUSTER
from wire.core.errors import ConfigError, Finding


class Created(Struct, frozen=True, kw_only=True):
    """A token, with its secret, which is told this once."""

    id: str
    token: str
    expires_at: datetime.datetime
    uses: int | None = None


class Token(Struct, frozen=True, kw_only=True):
    """A token that is still good."""

    id: str
    expires_at: datetime.datetime
    uses_left: int | None = None
    created_by: str = ""


def create(
    client: Client,
    expires: Annotated[str, typer.Option(help="How long it is good, as in 30m.")] = "1h",
    uses: Annotated[
        str | None, typer.Option(help="How many nodes it lets in: a number, or `unlimited`.", metavar="NUMBER")
    ] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a token. It is shown this once; whoever has it can add a node."""
    asked = {"expires": expires} if uses is None else {"expires": expires, "uses": _number(uses)}
    found = client.attempt("POST", *CLUSTER, "tokens", body=msgspec.json.encode(asked), headers=JSON)
    if output is not OutputFormat.TABLE:
        print_data(found.plain(), output)
        return
    made = found.to(Created)
    print(made.token, flush=True)
    times = "any number of times" if made.uses is None else f"{made.uses} time{'' if made.uses == 1 else 's'}"
    print(f"good until {showing.moment(made.expires_at)}, {times}; `wire cluster token revoke {made.id}` ends it",
          file=sys.stderr)  # fmt: skip


def _number(text: str) -> int | None:
    """Read how often a token may be used; None is without limit."""
    if text == "unlimited":
        return None
    if not text.isdecimal() or int(text) == 0:
        message = "expected a number from 1, or unlimited"
        raise ConfigError([Finding(code="config.invalid", path="--uses", message=message)])
    return int(text)


def list_(client: Client, output: Output = OutputFormat.TABLE) -> None:
    """List the tokens that are still good, without what is secret of them."""
    showing.show(client.items(*CLUSTER, "tokens"), list[Token], output, _tell)


def _tell(found: Sequence[Token]) -> None:
    rows = [
        [each.id, showing.moment(each.expires_at), "any" if each.uses_left is None else str(each.uses_left),
         each.created_by]
        for each in found
    ]  # fmt: skip
    print_table(["ID", "EXPIRES", "USES LEFT", "MADE BY"], rows)


def revoke(client: Client, id_: Annotated[str, typer.Argument(metavar="ID", help="The token's id.")]) -> None:
    """End a token."""
    client.change("DELETE", *CLUSTER, "tokens", id_)
    print(f"{id_}: lets nobody in any more")
