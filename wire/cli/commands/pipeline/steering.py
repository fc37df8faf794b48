"""`wire pipeline pause`, `resume`, `stop`, `start`, `restart`, `reset` and `delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from wire.api import views
from wire.cli.commands.pipeline.looking import Name
from wire.cli.remote.client import Client
from wire.cli.remote.confirming import Yes, confirm
from wire.cli.remote.options import Namespace, Wait
from wire.cli.remote.waiting import until_it_is, until_it_runs


def pause(client: Client, name: Name, namespace: Namespace = None, wait: Wait = False) -> None:
    """Pause. The job stays, and goes on where it was when it is resumed."""
    path = _steer(client, name, namespace, "pause")
    if wait:
        until_it_is(client, path, "paused")


def resume(client: Client, name: Name, namespace: Namespace = None, wait: Wait = False) -> None:
    """Let a paused pipeline go on."""
    path = _steer(client, name, namespace, "resume")
    if wait:
        until_it_runs(client, path)


def stop(client: Client, name: Name, namespace: Namespace = None, wait: Wait = False) -> None:
    """End the job. Started again, a new one goes on from the checkpoints."""
    path = _steer(client, name, namespace, "stop")
    if wait:
        until_it_is(client, path, "stopped")


def start(client: Client, name: Name, namespace: Namespace = None, wait: Wait = False) -> None:
    """Begin a job, which goes on from the checkpoints."""
    path = _steer(client, name, namespace, "start")
    if wait:
        until_it_runs(client, path)


def restart(client: Client, name: Name, namespace: Namespace = None, wait: Wait = False) -> None:
    """End the job and begin another one. It goes on from the checkpoints."""
    path = _steer(client, name, namespace, "restart")
    if wait:
        until_it_runs(client, path)


def _steer(client: Client, name: str, namespace: str | None, verb: str) -> tuple[str, ...]:
    path = client.pipelines(namespace, name)
    found = client.change("PUT", *path, verb).to(views.Pipeline)
    print(f"{found.name}: {found.state}", flush=True)
    return path


def reset(client: Client, name: Name, namespace: Namespace = None, yes: Yes = False) -> None:
    """Forget where a stopped pipeline had come to. Started again, it begins anew."""
    confirm(f"makes {name} forget where it had come to", yes)
    client.change("DELETE", *client.pipelines(namespace, name, "checkpoints"))
    print(f"{name}: begins anew when it is started")


def delete(
    client: Client,
    name: Name,
    namespace: Namespace = None,
    keep_checkpoints: Annotated[
        bool, typer.Option("--keep-checkpoints", help="Keep where it had come to, for one that is given the same name.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Delete a pipeline. Its job ends, its history and where it had come to are forgotten."""
    kept = "where it had come to is kept" if keep_checkpoints else "and where it had come to"
    confirm(f"deletes {name}, its history{' (' + kept + ')' if keep_checkpoints else ' ' + kept}", yes)
    client.change(
        "DELETE", *client.pipelines(namespace, name), keep_checkpoints="true" if keep_checkpoints else None
    )  # fmt: skip
    print(f"{name}: deleted")
