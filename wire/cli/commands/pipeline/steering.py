"""`wire pipeline pause`, `resume`, `stop`, `start`, `restart`, `reset` and `delete`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from wire.api import views
from wire.cli.commands.pipeline.looking import Name
from wire.cli.remote.client import Client
from wire.cli.remote.confirming import Yes, confirm
from wire.cli.remote.options import Namespace, Wait
from wire.cli.remote.waiting import until_it_is


def pause(client: Client, name: Name, namespace: Namespace = None, wait: Wait = False) -> None:
    """Pause. The job stays, and goes on where it was when it is resumed."""
    _steer(client, client.pipelines(namespace, name), "pause", "paused" if wait else None)


def resume(client: Client, name: Name, namespace: Namespace = None, wait: Wait = False) -> None:
    """Let a paused pipeline go on."""
    _steer(client, client.pipelines(namespace, name), "resume", "running" if wait else None)


def stop(client: Client, name: Name, namespace: Namespace = None, wait: Wait = False) -> None:
    """End the job. Started again, a new one goes on from the checkpoints."""
    _steer(client, client.pipelines(namespace, name), "stop", "stopped" if wait else None)


def start(client: Client, name: Name, namespace: Namespace = None, wait: Wait = False) -> None:
    """Begin a job, which goes on from the checkpoints."""
    _steer(client, client.pipelines(namespace, name), "start", "running" if wait else None)


def restart(client: Client, name: Name, namespace: Namespace = None, wait: Wait = False) -> None:
    """End the job and begin another one. It goes on from the checkpoints."""
    _steer(client, client.pipelines(namespace, name), "restart", "running" if wait else None)


def _steer(client: Client, path: Sequence[str], verb: str, awaited: views.PipelineState | None) -> None:
    """Have a pipeline do something, wait for the state that is awaited, and say in which it is then."""
    asked = client.change("PUT", *path, verb).to(views.Pipeline)
    state = asked.state if awaited is None else until_it_is(client, path, awaited).state
    print(f"{asked.name}: {state}")


def reset(client: Client, name: Name, namespace: Namespace = None, yes: Yes = False) -> None:
    """Forget where a stopped pipeline had come to, or what a deleted one has left. Started again, it begins anew."""
    confirm(f"makes {name} forget where it had come to", yes)
    found = client.change("DELETE", *client.pipelines(namespace, name, "checkpoints"))
    print(f"{name}: " + ("begins anew when it is started" if found.body else "what it had left is forgotten"))


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
