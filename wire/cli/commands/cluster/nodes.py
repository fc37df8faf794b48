"""`wire cluster join`, `leave`, `remove`, `drain`, `undrain` and `transfer`: nodes come and go."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Final

import msgspec
import typer

from wire.api import views
from wire.cli.remote.client import Client
from wire.cli.remote.confirming import Yes, confirm
from wire.cli.remote.leading import CLUSTER, cluster
from wire.cli.remote.showing import name_of
from wire.cli.remote.waiting import POLL_S

Node = Annotated[str, typer.Argument(metavar="NODE", help="The node's name, or its id.")]

JSON: Final = {"content-type": "application/json"}


def join(
    client: Client,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where the new node listens: HOST:PORT.")],
) -> None:
    """Let in a node that waits for it. A blank one, started with --join or --bootstrap-expect."""
    body = msgspec.json.encode({"address": address})
    found = client.attempt("POST", *CLUSTER, "members", body=body, headers=JSON).to(views.Member)
    print(f"{found.name}: is a member now, {found.role}")


def leave(
    client: Client,
    node: Node,
    yes: Yes = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is no member any more.")] = False,
) -> None:
    """Let a node go for good. It hands over its tasks, and leadership if it leads, then it ends."""
    confirm(f"lets {node} go for good", yes)
    client.attempt("POST", *CLUSTER, "members", node, "leave")
    print(f"{node}: hands over what it does, then leaves", flush=True)
    if not wait:
        return
    while node in _known(client):
        time.sleep(POLL_S)
    print(f"{node}: has left", flush=True)


def _known(client: Client) -> set[str]:
    found = client.get(*CLUSTER).to(views.Cluster).members
    return {name for each in found for name in (each.id, each.name)}


def remove(client: Client, node: Node, yes: Yes = False) -> None:
    """Remove a node that is dead, for good. One that lives is better asked to leave."""
    confirm(f"removes {node} for good, without asking it to hand anything over", yes)
    client.change("DELETE", *CLUSTER, "members", node)
    print(f"{node}: removed")


def drain(client: Client, node: Node) -> None:
    """Have a node's tasks go to others, and give it none. It stays a member, and keeps tasks that write files there."""
    found = client.change("PUT", *CLUSTER, "members", node, "drain").to(views.Member)
    print(f"{found.name}: drains, and is given no tasks")


def undrain(client: Client, node: Node) -> None:
    """Let a node have tasks again."""
    found = client.change("PUT", *CLUSTER, "members", node, "undrain").to(views.Member)
    print(f"{found.name}: is given tasks again")


def transfer(
    client: Client,
    node: Annotated[
        str | None, typer.Argument(metavar="NODE", help="Who is to lead; whoever can unless given.")
    ] = None,
) -> None:
    """Let another node lead. Nothing is done if it does already."""
    found = cluster(client).to(views.Cluster)
    if node is None or found.leader is None or node not in (found.leader, name_of(found.leader)):
        body = msgspec.json.encode({} if node is None else {"to": node})
        found = client.attempt("POST", *CLUSTER, "transfer-leadership", body=body, headers=JSON).to(views.Cluster)
    if found.leader is None:
        print("leadership was handed over; who leads is not known here yet", file=sys.stderr)
    else:
        print(f"{name_of(found.leader)}: leads, term {found.term}")
