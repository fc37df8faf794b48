"""`wire cluster snapshot`, `backup` and `restore`: the state of a cluster, kept safe."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from wire.api import views
from wire.cli.numbers import count, size
from wire.cli.remote.client import Client
from wire.cli.remote.confirming import Yes, confirm
from wire.cli.remote.leading import CLUSTER
from wire.core.errors import ConfigError, Finding


class _Restored(Struct, frozen=True, kw_only=True):
    """What is back from a backup."""

    pipelines: int
    checkpoints: int


def snapshot(client: Client) -> None:
    """Take a snapshot on the node that answers. It shortens that node's log."""
    found = client.attempt("POST", *CLUSTER, "snapshots").to(views.Snapshot)
    print(f"snapshot up to entry {found.index}, {size(found.bytes)}, checksum {found.checksum}")


def backup(
    client: Client,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace a file that is there already.")] = False,
) -> None:
    """Write the cluster's state into a file. Pipelines, their history, and where they have come to."""
    if file.exists() and not replace:
        raise _mistake(f"{file} is there already", "choose another name, or --replace")
    unfinished = file.with_name(f"{file.name}.part")
    try:
        with client.stream(*CLUSTER, "backup") as answer, unfinished.open("wb") as out:
            for piece in answer.pieces():
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
    print(f"wrote {file}, {size(file.stat().st_size)}")


def restore(
    client: Client,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `wire cluster backup` has written.")],
    yes: Yes = False,
) -> None:
    """Put a backup into a cluster without pipelines."""
    if not file.is_file():
        raise _mistake(f"there is no file {file}", "name a file that `wire cluster backup` has written")
    confirm(f"puts the pipelines of {file} into this cluster, which must have none", yes)
    headers = {"content-type": "application/octet-stream"}
    found = client.attempt("POST", *CLUSTER, "backup", body=file, headers=headers).to(_Restored)
    print(f"restored from {file}: pipelines {count(found.pipelines)}, checkpoints {count(found.checkpoints)}")


def _mistake(message: str, hint: str) -> ConfigError:
    return ConfigError([Finding(code="config.invalid", path="FILE", message=message, hint=hint)])
