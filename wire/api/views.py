"""What the API answers, as structs: their fields are the JSON, their docstrings the schemas' descriptions.

Times are UTC. What is not known is null.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Raw, Struct

from wire.core.errors import Finding

T = TypeVar("T")

Desired = Literal["running", "paused", "stopped"]
PipelineState = Literal["starting", "running", "pausing", "paused", "stopping", "stopped", "failed", "done"]
JobState = Literal["active", "failed", "done", "ended"]
TaskState = Literal["waiting", "running", "moving", "ended"]
AnyJson = Annotated[Raw | None, Meta(extra_json_schema={})]
SpecJson = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list, in a stable order. `next` is the cursor of the part behind it, null at the end."""

    items: tuple[T, ...]
    next: str | None = None


class ErrorView(Struct, frozen=True, kw_only=True):
    """Why a job failed."""

    code: str
    message: str
    path: str | None = None
    hint: str | None = None


class Pipeline(Struct, frozen=True, kw_only=True):
    """A pipeline as it is desired, and what it does.

    `version` counts the versions of its spec. `revision` rises with every change, also of what is desired: it is the
    ETag. `generation` rises whenever its positions are forgotten. `error` says why its job failed; `fell_back_from` is
    the version that failed before this one took over again.
    """

    name: str
    namespace: str
    version: int
    revision: int
    spec: SpecJson
    desired: Desired
    state: PipelineState
    job_id: str | None
    generation: int
    created_at: datetime.datetime
    updated_at: datetime.datetime
    error: ErrorView | None = None
    fell_back_from: int | None = None


class Applied(Pipeline, frozen=True, kw_only=True):
    """A pipeline that was just applied. `changed` is false where it was the same before."""

    created: bool
    changed: bool
    warnings: tuple[Finding, ...] = ()


class Difference(Struct, frozen=True, kw_only=True):
    """One place in which two specs differ; a side that is absent has nothing there."""

    path: str
    before: Raw | None = None
    after: Raw | None = None


class Plan(Struct, frozen=True, kw_only=True):
    """What applying would do, without doing it. `version` is the one the pipeline would have."""

    name: str
    namespace: str
    version: int
    created: bool
    changed: bool
    keeps_positions: bool
    spec: SpecJson
    differences: tuple[Difference, ...] = ()
    warnings: tuple[Finding, ...] = ()


class Version(Struct, frozen=True, kw_only=True):
    """One version of a pipeline. `proven` is true of the one that a failing newer one falls back to."""

    version: int
    created_at: datetime.datetime
    author: str
    note: str
    current: bool
    proven: bool


class VersionSpec(Version, frozen=True, kw_only=True):
    """One version of a pipeline, with its spec."""

    spec: SpecJson


class Diff(Struct, frozen=True, kw_only=True):
    """What changed from one version to another."""

    before: int
    after: int
    differences: tuple[Difference, ...]


class Job(Struct, frozen=True, kw_only=True):
    """One run of a version. `id` is a UUIDv7; `tasks` counts those that move records."""

    id: str
    pipeline: str
    namespace: str
    version: int
    state: JobState
    started_at: datetime.datetime
    ended_at: datetime.datetime | None
    tasks: int
    error: ErrorView | None = None
    fell_back_from: int | None = None


class Partition(Struct, frozen=True, kw_only=True):
    """A part of a source that is read in order."""

    source: str
    partition: str


class Task(Struct, frozen=True, kw_only=True):
    """A job's share of its sources' partitions. Slot -1 only looks which partitions there are.

    `node` is who runs it now, `target` who is to; `epoch` is the number its last start was given.
    """

    job_id: str
    slot: int
    state: TaskState
    node: str | None
    target: str | None
    epoch: int
    partitions: tuple[Partition, ...]
    moved_at: datetime.datetime | None


class Checkpoint(Struct, frozen=True, kw_only=True):
    """Where one partition goes on after a restart. `position` is the source's own, in base64."""

    source: str
    partition: str
    generation: int
    seq: int
    epoch: int
    position: bytes


class KeptCheckpoints(Struct, frozen=True, kw_only=True):
    """What a pipeline left that was deleted: how many checkpoints, for one that is given the same name.

    `deleted_at` is null where that is not known: an older release has kept them, or they are put back from a backup.
    """

    name: str
    namespace: str
    checkpoints: int
    deleted_at: datetime.datetime | None
    deleted_by: str


class Sample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record on its way to a sink, as the transforms have left it.

    `key` and `value` are JSON where they are that, with *** in the place of everything that is called like a secret; of
    a long one the beginning of its text. What is not JSON is in `key_base64` or `value_base64`. `truncated` says that
    something is cut off, or left out because it is too long; what may hold secrets and can't be read is left out, too.
    """

    node: str
    sink: str
    source: str
    partition: str
    offset: int
    timestamp: datetime.datetime | None
    key: AnyJson = None
    key_base64: bytes | None = None
    value: AnyJson = None
    value_base64: bytes | None = None
    truncated: bool = False


class TaskCounts(Struct, frozen=True, kw_only=True):
    """A job's tasks by what they do, the one that looks for partitions left out."""

    total: int
    waiting: int
    running: int
    moving: int
    ended: int


class PipelineStatus(Struct, frozen=True, kw_only=True):
    """How a pipeline is. It is bound to its `home`, if it has one: the node that has the files it writes."""

    name: str
    namespace: str
    version: int
    desired: Desired
    state: PipelineState
    generation: int
    job: Job | None
    tasks: TaskCounts
    nodes: tuple[str, ...]
    checkpoints: int
    home: str | None = None
    error: ErrorView | None = None
    fell_back_from: int | None = None


class Figures(Struct, frozen=True, kw_only=True):
    """What has become of records, as `/metrics` counts it, and how far the sources' ends are away.

    Records are `received` from the sources, and `sent` once they are durable in a sink and stay; one that goes to two
    sinks counts twice. `filtered` ones a transform left out, `dead_lettered` ones are durable in the dead-letter sink,
    `skipped` ones could not be processed, `retried` ones were written again, `shed` ones were dropped as their sink's
    buffer says. What no source knows of its lag is null; `lag_ms` is that of the partition that is latest.
    `sinks_down` are those of which a task takes it that they are down: its circuit breaker is not closed.
    """

    received: int
    sent: int
    filtered: int
    dead_lettered: int
    skipped: int
    retried: int
    shed: int = 0
    lag_records: int | None = None
    lag_bytes: int | None = None
    lag_ms: int | None = None
    sinks_down: tuple[str, ...] = ()


class NodeFigures(Figures, frozen=True, kw_only=True):
    """What one node has counted of a pipeline since the node was started, `uptime_ms` ago.

    As long as the node lives, nothing it counts goes back, whatever becomes of tasks: what two answers of it differ by
    has happened in between. Where `uptime_ms` goes back, it has begun anew.
    """

    node: str
    uptime_ms: int


class PipelineFigures(Figures, frozen=True, kw_only=True):
    """What the `nodes` that run a pipeline's tasks now have counted, added up: it goes back when tasks change nodes.

    Those that are `unanswered` run some of its tasks, too, and did not say in time what they have counted.
    """

    name: str
    namespace: str
    nodes: tuple[NodeFigures, ...]
    unanswered: tuple[str, ...] = ()


class Member(Struct, frozen=True, kw_only=True):
    """A node. Its `id` is its name and its incarnation; `role` says what it is to consensus.

    `state` tells whether it was heard of lately: the leader knows it of all, another node only of itself and the
    leader. `workers` and `labels` are what it said of itself when it registered, null before that. One that is
    `draining` is given no work; one that is `leaving` is removed once it has none.
    """

    id: str
    name: str
    address: str
    role: Literal["leader", "voter", "nonvoter"]
    state: Literal["live", "silent", "unknown"]
    last_contact_ms: int | None = None
    workers: int | None = None
    labels: dict[str, str] | None = None
    release: str | None = None
    draining: bool = False
    leaving: bool = False


class Cluster(Struct, frozen=True, kw_only=True):
    """The cluster as the answering node knows it."""

    cluster_id: str
    term: int
    leader: str | None
    members: tuple[Member, ...]


class Snapshot(Struct, frozen=True, kw_only=True):
    """A snapshot of the answering node's state, on its disk: what it covers and how large it is."""

    index: int
    term: int
    bytes: int
    checksum: str


class Restored(Struct, frozen=True, kw_only=True):
    """A backup that was restored: which cluster it is of, as of which entry of its log, and what is back from it."""

    cluster_id: str
    index: int
    taken_at: datetime.datetime
    pipelines: int
    checkpoints: int


class NodeInfo(Struct, frozen=True, kw_only=True):
    """The answering node."""

    id: str
    name: str
    address: str
    release: str


class Consensus(Struct, frozen=True, kw_only=True):
    """The answering node's part in consensus. `trouble` says why it acknowledges nothing."""

    role: str
    term: int
    leader: str | None
    commit_index: int
    applied_index: int
    log_first_index: int
    log_last_index: int
    trouble: str | None = None


class Counts(Struct, frozen=True, kw_only=True):
    """How much the cluster holds."""

    nodes: int
    pipelines: int
    jobs: int
    tasks: int
    checkpoints: int


class NodeStatus(Struct, frozen=True, kw_only=True):
    """Everything the answering node can tell of itself without asking anybody."""

    node: NodeInfo
    cluster_id: str
    command_version: int
    consensus: Consensus
    counts: Counts


class Check(Struct, frozen=True, kw_only=True):
    """One thing a node needs to be ready; `message` says what is wrong."""

    name: str
    ok: bool
    message: str = ""

    @property
    def line(self) -> str:
        """The check as a line of text, as probes and people read it."""
        return f"[+]{self.name} ok\n" if self.ok else f"[-]{self.name} failed: {self.message}\n"


class Token(Struct, frozen=True, kw_only=True):
    """A token that nodes join with. `uses_left` is null where it is good for any number of nodes."""

    id: str
    expires_at: datetime.datetime
    uses_left: int | None
    created_by: str


class NewToken(Struct, frozen=True, kw_only=True):
    """A token that was just made. `token` is what a node shows (`join_token`), and is never told again."""

    id: str
    token: str
    expires_at: datetime.datetime
    uses: int | None
