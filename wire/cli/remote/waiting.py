"""Waits for a pipeline to become what was asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final

from wire.api import views
from wire.cli.remote.client import Client
from wire.cli.remote.showing import work_line
from wire.core.errors import FatalError

POLL_S: Final = 0.5
_OVER: Final = ("done", "failed")


def until_it_runs(client: Client, path: Sequence[str], version: int | None = None) -> views.PipelineStatus:
    """Return how a pipeline is once it runs or is done, or is not to run any more. Says what it does until then.

    Raises FatalError where it fails, or where the version that is waited for has failed and an older one runs.
    """
    found = _until(client, path, ("running", "paused", "stopped"))
    if version is not None and found.fell_back_from == version:
        message = f"version {version} of {found.name} failed, and version {found.version} took over again"
        raise _failed(found, message)
    return found


def until_it_is(client: Client, path: Sequence[str], state: views.PipelineState) -> views.PipelineStatus:
    """Return how a pipeline is once it is in a state, or over. Raises FatalError where it is to run, and fails."""
    return _until(client, path, (state,))


def _until(client: Client, path: Sequence[str], states: Sequence[str]) -> views.PipelineStatus:
    last = ""
    while True:
        found = client.get(*path, "status").to(views.PipelineStatus)
        line = f"{found.name}: {work_line(found)}"
        if line != last:
            print(line, file=sys.stderr, flush=True)
            last = line
        if found.state == "failed" and "running" in states:
            raise _failed(found, f"{found.name} failed")
        if found.state in (*states, *_OVER):
            return found
        time.sleep(POLL_S)


def _failed(found: views.PipelineStatus, message: str) -> FatalError:
    if found.error is None:
        return FatalError("pipeline.failed", message)
    error = found.error
    return FatalError(error.code, f"{message}: {error.message}", path=error.path, hint=error.hint)
