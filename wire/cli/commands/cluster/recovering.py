"""`wire cluster recover`: a cluster whose majority is gone for good goes on with the one node that is left."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wire.core.errors import ConfigError, Finding
from wire.core.plugins import missing_dependency

if TYPE_CHECKING:
    from wire.node.membership.recovering import Recovery


def recover(
    data_dir: Annotated[
        Path, typer.Option(help="The data folder of the node that is left, which must not run.")
    ] = Path("wire-data"),
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask: the others are gone for good.")] = False,
) -> None:
    """Go on with one node when the majority of a cluster is gone for good. What only the others had is lost.

    Run it on the node that has most. The others must never be started again with their old data folders: they would
    go on with the same pipelines beside this one. With empty ones they join anew.
    """
    try:
        from wire.node.data_dir import data_dir_of_a_node
        from wire.node.membership.recovering import found_in
        from wire.node.membership.recovering import recover as do
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] == "wire":
            raise
        raise missing_dependency("wire cluster recover", "cluster", exc) from exc
    with data_dir_of_a_node(data_dir) as data:
        before = found_in(data)
        _tell("before", before)
        lost = ", ".join(each.name for each in before.lost) or "nobody"
        print(f"lost     {lost}, with whatever only they had: changes and checkpoints after entry {before.last_index}")
        print("never start them again with their old data folders; with empty ones they join anew")
        if not yes:
            _confirm(before)
        after = do(data)
        _tell("after", after)
        print(f"next: wire serve --node-id {data.identity.name} --data-dir {data_dir}, then the others with --join")


def _tell(when: str, found: Recovery) -> None:
    members = ", ".join(f"{each.name} at {each.address}" for each in found.members)
    print(f"{when:8} cluster {found.cluster}: {members}; up to entry {found.last_index} of term {found.last_term}")


def _confirm(before: Recovery) -> None:
    """Have the cluster's id typed. Raises ConfigError otherwise."""
    typed = ""
    if sys.stdin.isatty():
        typed = typer.prompt("Type the id of the cluster that is to be given up").strip()
    if typed != before.cluster:
        message = "nothing was changed: that the others are gone for good was not confirmed"
        hint = f"type {before.cluster}, or say --yes"
        raise ConfigError([Finding(code="config.conflict", path="--yes", message=message, hint=hint)])
