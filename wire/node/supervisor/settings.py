"""How many workers a node has, and what they may do."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire.core.config import Config
from wire.core.permissions import Permissions
from wire.core.units import Duration, Size


class WorkerSettings(Config, frozen=True, kw_only=True):
    """`max_silence` is how long a worker may say nothing, `max_memory` what it may hold, before it is replaced.

    All share `cores`, which they may use besides the node's own process; None stands for all there are.

    A worker that hears nothing of its node for `orphaned_after` ends by itself, which must be before the node's lease
    does: its tasks may be another node's then (I4).

    `node` is what the log calls the node.

    `grace` is what a task gets beyond its deadline to let go, `commit_interval` the least time between two commits.
    """

    count: Annotated[int, Meta(ge=1)]
    node: str = ""
    permissions: Permissions = Permissions()
    max_silence: Duration = Duration(10_000)
    orphaned_after: Duration = Duration(10_000)
    max_start: Duration = Duration(60_000)
    max_memory: Size | None = None
    cores: frozenset[int] | None = None
    restart_after: Duration = Duration(200)
    restart_after_at_most: Duration = Duration(30_000)
    grace: Duration = Duration(5_000)
    commit_interval: Duration = Duration(100)
