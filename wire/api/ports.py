"""What the routes need of whatever stands behind them. Everything here raises WireErrors, whose codes give the status.

Nothing that changes anything has happened when it raises, but for `cluster.outcome_unknown`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

from msgspec import Struct

from wire.api.views import (
    Applied,
    Check,
    Checkpoint,
    Cluster,
    Desired,
    Diff,
    Job,
    KeptCheckpoints,
    Member,
    NewToken,
    NodeStatus,
    Page,
    Pipeline,
    PipelineFigures,
    PipelineStatus,
    Plan,
    Restored,
    Sample,
    Snapshot,
    Task,
    Token,
    Version,
    VersionSpec,
)
from wire.core.units import Duration

Consistency = Literal["linearizable", "stale"]
"""`linearizable` reads see every write that was confirmed before they were asked for, on any node (I7); `stale` reads
answer at once, also without a leader, with what this node knows."""


class Name(Struct, frozen=True):
    """Names a pipeline."""

    namespace: str
    name: str


class By(Struct, frozen=True):
    """Who asks for a change, under an id: asked again under the same id, it is carried out once."""

    actor: str
    request_id: bytes


class Guard(Struct, frozen=True):
    """What must hold for a change to be made: one of these revisions, or that the pipeline exists, or does not."""

    revisions: frozenset[int] | None = None
    exists: bool | None = None


class Submission(Struct, frozen=True):
    """A spec as text, in YAML or JSON. `start` says where to begin if its sources are not the same any more."""

    text: str
    start: str | None = None
    note: str = ""


class Part(Struct, frozen=True):
    """Which part of a list: so many items behind the one a cursor names."""

    after: str | None
    limit: int
    consistency: Consistency


class Exposition(Struct, frozen=True):
    """What a scraper is answered."""

    body: bytes
    media_type: str


class Pipelines(Protocol):
    """Definitions of pipelines."""

    async def page(self, namespace: str, part: Part) -> Page[Pipeline]:
        """Return pipelines of a namespace, by name."""
        ...

    async def get(self, name: Name, consistency: Consistency) -> Pipeline:
        """Return a pipeline."""
        ...

    async def create(self, namespace: str, submission: Submission, guard: Guard, by: By) -> Applied:
        """Make a pipeline and let it run. Raises if there is one of that name."""
        ...

    async def apply(self, name: Name, submission: Submission, guard: Guard, by: By) -> Applied:
        """Make a pipeline, or give it a new version, which takes over from its last checkpoints."""
        ...

    async def plan(self, namespace: str, name: str | None, submission: Submission, guard: Guard) -> Plan:
        """Say what `apply`, or without a name `create`, would do; raise what it would raise."""
        ...

    async def roll_back(self, name: Name, to: int, start: str | None, guard: Guard, by: By) -> Pipeline:
        """Make an older version the current one, as a new version."""
        ...

    async def set_desired(self, name: Name, desired: Desired, by: By) -> Pipeline:
        """Pause, stop or run. Idempotent; holds until it is changed, whatever is restarted meanwhile."""
        ...

    async def restart(self, name: Name, by: By) -> Pipeline:
        """End the job and begin another one, from its last checkpoints."""
        ...

    async def delete(self, name: Name, guard: Guard, by: By, *, keep_checkpoints: bool) -> None:
        """Forget a pipeline."""
        ...

    async def reset_positions(self, name: Name, by: By) -> Pipeline | None:
        """Forget where a stopped pipeline had come to, or what one has left that was deleted: then there is None."""
        ...


class Runs(Protocol):
    """What becomes of pipelines: their versions, jobs, tasks and checkpoints."""

    async def status(self, name: Name, consistency: Consistency) -> PipelineStatus:
        """Return how a pipeline is."""
        ...

    async def versions(self, name: Name, part: Part) -> Page[Version]:
        """Return the versions that are kept, the newest first."""
        ...

    async def version(self, name: Name, number: int, consistency: Consistency) -> VersionSpec:
        """Return one version."""
        ...

    async def diff(self, name: Name, before: int, after: int, consistency: Consistency) -> Diff:
        """Return what changed from one version to another."""
        ...

    async def tasks(self, name: Name, part: Part) -> Page[Task]:
        """Return the tasks of a pipeline, those of an older job that still run included, by job and slot."""
        ...

    async def checkpoints(self, name: Name, part: Part) -> Page[Checkpoint]:
        """Return the checkpoints of a pipeline, or those that one has left, by source and partition."""
        ...

    async def kept(self, namespace: str, part: Part) -> Page[KeptCheckpoints]:
        """Return which pipelines of a namespace were deleted and have left checkpoints, by name."""
        ...

    async def jobs(self, name: Name | None, part: Part) -> Page[Job]:
        """Return jobs, of one pipeline or of all, the newest first."""
        ...

    async def job(self, id_: str, consistency: Consistency) -> Job:
        """Return a job."""
        ...


class ClusterOps(Protocol):
    """The cluster and who is in it. What this node knows is told without asking anybody."""

    def cluster(self) -> Cluster:
        """Return the cluster."""
        ...

    def nodes(self, after: str | None, limit: int, *, nonvoters: bool) -> Page[Member]:
        """Return the nodes that vote, or all, by name."""
        ...

    def status(self) -> NodeStatus:
        """Return how this node is."""
        ...

    async def add(self, address: str) -> Member:
        """Let in the node that waits at an address for a cluster. Idempotent until it knows that it is in."""
        ...

    async def remove(self, id_: str, by: By) -> None:
        """Remove a node for good, by its id or its name; what it runs is given to others."""
        ...

    async def leave(self, id_: str, by: By) -> Member:
        """Let a node go once its work is done by others. Idempotent until it is gone; not taken back."""
        ...

    async def drain(self, id_: str, by: By, *, draining: bool) -> Member:
        """Give a node no work any more, or some again. Idempotent, and outlasts a restart."""
        ...

    async def transfer_leadership(self, to: str | None) -> Cluster:
        """Let another node lead, and return when it does; by its id or its name, or whichever."""
        ...

    async def snapshot(self) -> Snapshot:
        """Take a snapshot on this node, and return once it is on disk."""
        ...


class Tokens(Protocol):
    """Tokens that nodes join with."""

    async def create(self, expires: Duration, uses: int | None, by: By) -> NewToken:
        """Make a token for so many nodes, or any number, and tell its secret this once.

        Asked again under the same id it raises RefusedError: the secret can't be told a second time.
        """
        ...

    async def page(self, part: Part) -> Page[Token]:
        """Return tokens, by id. Of those that are no good any more some may be forgotten."""
        ...

    async def revoke(self, id_: str, by: By) -> None:
        """Let nobody join with a token any more. Raises RefusedError if there is none of that id."""
        ...


class Backups(Protocol):
    """The cluster's state as a file."""

    async def take(self) -> AsyncIterator[bytes]:
        """Return a backup of everything that is confirmed by now, in parts that are made as they are asked for."""
        ...

    async def restore(self, data: bytes, by: By) -> Restored:
        """Make the pipelines of a backup, with their checkpoints, all or none, in a cluster that has none.

        Not restored: nodes, tokens, jobs that are over, the trail of changes.
        """
        ...


class Health(Protocol):
    """Whether this node can do its work."""

    async def ready(self, *, sync: bool) -> Sequence[Check]:
        """Return every check. `sync` also asks for all that is confirmed to have arrived here.

        That a pipeline is in trouble makes no node unready.
        """
        ...


class Taps(Protocol):
    """Samples of the records that pass."""

    def tapping(self, name: Name, records: int, seconds: float) -> AbstractAsyncContextManager[AsyncIterator[Sample]]:
        """Give samples of the records that a pipeline's tasks send to its sinks, on whichever nodes, masked.

        At most so many, for at most so long; leaving ends it everywhere, within a second or two. Raises on entering if
        there is no such pipeline, or too many look at records here already.
        """
        ...


class Metrics(Protocol):
    """What this node has counted."""

    async def text(self, accept: str) -> Exposition:
        """Return it in the format that a scraper prefers, of those that Prometheus reads."""
        ...


class Figures(Protocol):
    """What the nodes that run tasks have counted. A node that does not say so in time is named in the answer."""

    async def page(self, namespace: str, part: Part) -> Page[PipelineFigures]:
        """Return what has become of the records of a namespace's pipelines, by name."""
        ...

    async def of(self, name: Name, consistency: Consistency) -> PipelineFigures:
        """Return what has become of a pipeline's records."""
        ...


class Services(Struct, frozen=True):
    """Everything behind the routes."""

    pipelines: Pipelines
    runs: Runs
    cluster: ClusterOps
    backups: Backups
    health: Health
    metrics: Metrics
    tokens: Tokens
    taps: Taps
    figures: Figures
