"""What every node agrees on. `State` changes only by `wire.cluster.machine`; all it holds is immutable.

    Pipeline ── versions of its spec, what is desired of it
      └── Job ── one run of one version
            └── Task ── a share of the job's partitions: where it is to run, and who runs it now, under which epoch

A task is handed over in steps, so that no two nodes run it at once unless one of them is cut off: the scheduler names
its `target`; the `owner` of before drains and releases it, or loses it when its lease is over; the target starts it,
and each start takes a new epoch. What an older epoch still commits is refused (I4).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, NewType

from msgspec import Struct, field

from wire.core.records import Checkpoint, PartitionKey

NodeName = NewType("NodeName", str)
JobId = NewType("JobId", str)
"""A UUIDv7, made by whoever proposes the command that begins the job."""

Desired = Literal["running", "paused", "stopped"]
JobState = Literal["active", "failed", "done", "ended"]


class PipelineKey(NamedTuple):
    """Names a pipeline."""

    namespace: str
    name: str


class TaskKey(NamedTuple):
    """Names a task. Slot -1 is the job's discovery: it looks which partitions its sources have, and moves no record."""

    job: JobId
    slot: int


DISCOVERY = -1


class Node(Struct, frozen=True, kw_only=True):
    """A member that can be given work. `workers` is how much it takes, relative to the others.

    `newest_command` is the newest version of commands it understands.
    """

    name: NodeName
    incarnation: str
    address: str
    workers: int
    labels: dict[str, str] = field(default_factory=dict)
    release: str = ""
    newest_command: int = 1
    draining: bool = False
    joined_ms: int = 0


class Error(Struct, frozen=True):
    """Why a job failed, in words for its owner."""

    code: str
    message: str
    path: str | None = None
    hint: str | None = None


class PipelineVersion(Struct, frozen=True, kw_only=True):
    """One version of a spec, as canonical JSON with its references unresolved (I9)."""

    number: int
    spec: bytes
    created_ms: int
    author: str
    note: str = ""


class Pipeline(Struct, frozen=True, kw_only=True):
    """A pipeline. `revision` rises with every change of what is desired, the versions included: it is the ETag.

    `current` is the version that is desired. `proven` is the newest one that outlived its grace period, which a
    failing newer one falls back to. `generation` rises with every reset of the positions (I3).
    """

    key: PipelineKey
    revision: int
    versions: tuple[PipelineVersion, ...]
    current: int
    proven: int | None
    desired: Desired
    job: JobId | None
    generation: int = 0
    created_ms: int
    updated_ms: int

    def version(self, number: int) -> PipelineVersion | None:
        """Return a version that is still kept."""
        return next((each for each in self.versions if each.number == number), None)


class Job(Struct, frozen=True, kw_only=True):
    """One run of a version. `partitions` is what discovery found last, by source, None before the first report.

    `shares_revision` rises each time the partitions are dealt anew.
    """

    id: JobId
    pipeline: PipelineKey
    version: int
    state: JobState
    started_ms: int
    ended_ms: int | None = None
    parallelism: int | None = None
    weight: int = 1
    node_selector: dict[str, str] = field(default_factory=dict)
    partitions: tuple[PartitionKey, ...] | None = None
    shares_revision: int = 0
    error: Error | None = None
    fell_back_from: int | None = None


class Task(Struct, frozen=True, kw_only=True):
    """One task.

    `share` is what it is to read, `held` what its running epoch reads: a partition held by one task is not started
    by another one. `owner` runs it now, or did when it was last heard of; None while nobody may.
    """

    key: TaskKey
    share: tuple[PartitionKey, ...] = ()
    target: NodeName | None = None
    owner: NodeName | None = None
    epoch: int = 0
    held: tuple[PartitionKey, ...] = ()
    ended: bool = False
    moved_ms: int = 0


class StoredCheckpoint(Struct, frozen=True):
    """A checkpoint and the epoch it was committed under."""

    epoch: int
    checkpoint: Checkpoint


class JoinToken(Struct, frozen=True, kw_only=True):
    """Lets somebody join. Of the secret only a salted hash is kept; `uses_left` None is any number."""

    id: str
    salt: bytes
    digest: bytes
    expires_ms: int
    uses_left: int | None
    created_by: str


class Change(Struct, frozen=True, kw_only=True):
    """One line of the trail of changes."""

    index: int
    at_ms: int
    actor: str
    action: str
    subject: str
    detail: str = ""


class State:
    """Everything. Containers are changed in place, what they hold is replaced."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.command_version = 1
        """The newest version of commands that may be proposed."""
        self.now_ms = 0
        """The latest time any command told; it never goes back, whatever the clocks of proposers do."""
        self.last_epoch = 0
        self.nodes: dict[NodeName, Node] = {}
        self.pipelines: dict[PipelineKey, Pipeline] = {}
        self.jobs: dict[JobId, Job] = {}
        self.tasks: dict[TaskKey, Task] = {}
        self.checkpoints: dict[PipelineKey, dict[PartitionKey, StoredCheckpoint]] = {}
        self.tokens: dict[str, JoinToken] = {}
        self.changes: list[Change] = []

    def pipeline_of(self, job: JobId) -> Pipeline | None:
        """Return the pipeline of a job, if both are still there."""
        found = self.jobs.get(job)
        return self.pipelines.get(found.pipeline) if found else None

    def tasks_of(self, job: JobId) -> list[Task]:
        """Return a job's tasks in order of their slots."""
        return sorted((task for key, task in self.tasks.items() if key.job == job), key=lambda task: task.key.slot)
