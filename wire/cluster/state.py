"""What every node agrees on. `State` changes only by `wire.cluster.apply`; all it holds is immutable.

    Pipeline ── versions of its spec, what is desired of it
      └── Job ── one run of one version
            └── Task ── a share of the job's partitions: where it is to run, and who runs it now, under which epoch

A task is handed over in steps, so that no two nodes run it at once unless one of them is cut off: the scheduler names
its `target`; the `owner` of before drains and releases it, or loses it when its lease is over; the target starts it,
and each start takes a new epoch. What an older epoch still commits is refused (I4).

All this is written into snapshots, which an older release may have to read. So a field that is added has a default, is
left at it until its version of commands is enabled, and defaults never change: what is at its default is not written.
What a command does may change only with that version, too.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, NewType, TypeVar

from msgspec import Struct, field

from wire.cluster.tables import Table
from wire.core.records import Checkpoint, PartitionKey

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

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

STARTS_KEPT: Final = 3
"""From this version of commands on the state knows when each task was started last."""

HOMES: Final = 4
"""From this version of commands on the state knows where the files of a pipeline are."""

UNPROVEN_FALLBACK: Final = 3
"""From this version of commands on a version that fails goes back to the one before, even if that is not proven."""


class Row(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What the state is made of. Not for the garbage collector to walk: nothing in it refers back."""


class Node(Row, frozen=True, kw_only=True):
    """A member that can be given work. `workers` is how much it takes, relative to the others.

    `newest_command` is the newest version of commands it understands. One that is `leaving` is draining, too, and is
    removed once it has no work.
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
    leaving: bool = False


class Error(Row, frozen=True):
    """Why a job failed, in words for its owner."""

    code: str
    message: str
    path: str | None = None
    hint: str | None = None


class PipelineVersion(Row, frozen=True, kw_only=True):
    """One version of a spec, as canonical JSON with its references unresolved (I9), and what it says of its jobs.

    Whether it writes files that only the node has which writes them is None where nobody has said: it is older.
    """

    number: int
    spec: bytes
    created_ms: int
    author: str
    note: str = ""
    parallelism: int | None = None
    weight: int = 1
    node_selector: dict[str, str] = field(default_factory=dict)
    keeps_files: bool | None = None


class Pipeline(Row, frozen=True, kw_only=True):
    """A pipeline. `revision` rises with every change of what is desired, the versions included: it is the ETag.

    It is the index of the log's entry that made the change, so that a pipeline of the same name that comes later has
    none of those of this one. `versions` go from old to new. `current` is the version that is desired. `proven` is the
    newest one whose tasks all ran through a grace period, which a failing newer one falls back to; there is none any
    more once the positions it could go on from are given up. `job` is the one that runs, or has failed or is done; None
    once it was ended. `generation` rises with every reset of the positions (I3). `home` is the node that has the files
    of a version that `keeps_files`: it committed the first of them there, and goes on there as long as its positions
    count.
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
    home: NodeName | None = None

    def version(self, number: int) -> PipelineVersion | None:
        """Return a version that is still kept."""
        return next((each for each in self.versions if each.number == number), None)

    @property
    def current_version(self) -> PipelineVersion:
        """The version that is desired, which is always kept."""
        return next(each for each in self.versions if each.number == self.current)


class Job(Row, frozen=True, kw_only=True):
    """One run of a version. `partitions` is what discovery found last, sorted, None before the first report.

    `shares_revision` rises each time the partitions are dealt anew. `generation` is the one its tasks commit under: the
    pipeline's as it began.
    """

    id: JobId
    pipeline: PipelineKey
    version: int
    generation: int = 0
    state: JobState
    started_ms: int
    ended_ms: int | None = None
    parallelism: int | None = None
    weight: int = 1
    node_selector: dict[str, str] = field(default_factory=dict)
    keeps_files: bool = False
    partitions: tuple[PartitionKey, ...] | None = None
    shares_revision: int = 0
    error: Error | None = None
    fell_back_from: int | None = None


class Task(Row, frozen=True, kw_only=True):
    """One task.

    `share` is what it is to read, `held` what its running epoch reads: a partition held by one task is not started
    by another one. `owner` runs it now, or did when it was last heard of; None while nobody may. `epoch` is that of
    its last start, at `started_ms`.
    """

    key: TaskKey
    share: tuple[PartitionKey, ...] = ()
    target: NodeName | None = None
    owner: NodeName | None = None
    epoch: int = 0
    held: tuple[PartitionKey, ...] = ()
    ended: bool = False
    moved_ms: int = 0
    started_ms: int = 0


class StoredCheckpoint(Row, frozen=True):
    """A checkpoint and the epoch it was committed under."""

    epoch: int
    checkpoint: Checkpoint


class Kept(Row, frozen=True):
    """A pipeline was deleted, and its checkpoints were kept for a namesake, with its home."""

    deleted_ms: int
    deleted_by: str
    home: NodeName | None = None


class JoinToken(Row, frozen=True, kw_only=True):
    """Lets somebody join. Of the secret only a salted hash is kept; `uses_left` None is any number."""

    id: str
    salt: bytes
    digest: bytes
    expires_ms: int
    uses_left: int | None
    created_by: str


class Change(Row, frozen=True, kw_only=True):
    """One line of the trail of changes."""

    index: int
    at_ms: int
    actor: str
    action: str
    subject: str
    detail: str = ""


class Jobs(Table[JobId, Job]):
    """All jobs, in the order in which they began."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self._of: dict[PipelineKey, dict[JobId, Job]] = {}

    def of(self, pipeline: PipelineKey) -> list[Job]:
        """Return the jobs of a pipeline of that name, in the order in which they began."""
        return list(self._of.get(pipeline, {}).values())

    def _index(self, old: Job | None, new: Job | None) -> None:
        if new is not None:
            self._of.setdefault(new.pipeline, {})[new.id] = new
        elif old is not None:  # pragma: no branch (a row that goes was there)
            _take_out(self._of, old.pipeline, old.id)


class Tasks(Table[TaskKey, Task]):
    """All tasks."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self._of: dict[JobId, dict[int, Task]] = {}
        self._owned: dict[NodeName, dict[TaskKey, Task]] = {}
        self._meant: dict[NodeName, dict[TaskKey, Task]] = {}
        self._held: dict[JobId, dict[PartitionKey, TaskKey]] = {}

    def of(self, job: JobId) -> list[Task]:
        """Return a job's tasks in the order of their slots."""
        return [task for _, task in sorted(self._of.get(job, {}).items())]

    def any_of(self, job: JobId) -> bool:
        """Whether a job has tasks."""
        return job in self._of

    def owned_by(self, node: NodeName) -> list[Task]:
        """Return what a node owns, in no order."""
        return list(self._owned.get(node, {}).values())

    def meant_for(self, node: NodeName) -> list[Task]:
        """Return what has a node as its target, in no order."""
        return list(self._meant.get(node, {}).values())

    def holder(self, job: JobId, partition: PartitionKey) -> TaskKey | None:
        """Return which task of a job holds a partition."""
        return self._held.get(job, {}).get(partition)

    def _index(self, old: Task | None, new: Task | None) -> None:
        if old is not None:
            job, slot = old.key
            _take_out(self._of, job, slot)
            if old.owner is not None:
                _take_out(self._owned, old.owner, old.key)
            if old.target is not None:
                _take_out(self._meant, old.target, old.key)
            for partition in old.held:
                _take_out(self._held, job, partition)
        if new is not None:
            job, slot = new.key
            self._of.setdefault(job, {})[slot] = new
            if new.owner is not None:
                self._owned.setdefault(new.owner, {})[new.key] = new
            if new.target is not None:
                self._meant.setdefault(new.target, {})[new.key] = new
            for partition in new.held:
                self._held.setdefault(job, {})[partition] = new.key


def _take_out(index: dict[A, dict[B, C]], outer: A, inner: B) -> None:
    found = index[outer]
    del found[inner]
    if not found:
        del index[outer]


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
        self.jobs = Jobs()
        self.tasks = Tasks()
        self.checkpoints: dict[PipelineKey, dict[PartitionKey, StoredCheckpoint]] = {}
        """Of each pipeline the partitions first that were not reported for longest."""
        self.unshared: set[PipelineKey] = set()
        """Of which pipelines the checkpoints may be changed in place: no snapshot under way goes through them."""
        self.kept: dict[PipelineKey, Kept] = {}
        """Whose checkpoints outlive them, those first that were deleted first; empty before version 3."""
        self.tokens: dict[str, JoinToken] = {}
        self.changes: list[Change] = []

    @property
    def bounded(self) -> bool:
        """Whether what is gone is forgotten in the end: a node that knows no version 3 forgets nothing (I6)."""
        return self.command_version >= 3

    def pipeline_of(self, job: JobId) -> Pipeline | None:
        """Return the pipeline of a job, if both are still there."""
        found = self.jobs.get(job)
        return self.pipelines.get(found.pipeline) if found else None

    def tasks_of(self, job: JobId) -> list[Task]:
        """Return a job's tasks in order of their slots."""
        return self.tasks.of(job)
