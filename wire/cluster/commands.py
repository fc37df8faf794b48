"""What can be asked of the cluster, and what that is answered.

A command says who asks (`actor`) and when (`at_ms`, of the proposer's clock); nothing else in it may depend on where it
is carried out. Its version is that of the newest member it needs: a command of a version that not every voter knows is
not proposed, and a node that meets one that it does not know stops before it, loudly (I6).

An `OperatorCommand` is what a person asks for: it is Refused where it names what is not there, or begins a job under an
id that is taken, and if it changes anything that is in the trail of changes. A `NodeCommand` is what nodes tell each
other; what is out of date in it has no effect.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from wire.cluster.state import Desired, Error, JobId, NodeName, Pipeline, PipelineKey, StoredCheckpoint, TaskKey
from wire.core.records import Checkpoint, PartitionKey

CommandVersion = Annotated[int, Meta(ge=1, le=255)]


class Command(Struct, frozen=True, kw_only=True, tag_field="do", omit_defaults=True, forbid_unknown_fields=True):
    """What all commands have. Defaults never change: what is at its default is not written."""

    at_ms: int
    actor: str = ""


# nodes


class RegisterNode(Command, frozen=True, kw_only=True, tag="register_node"):
    """A node tells what it is, at each start and when that changes. Answers Done.

    As another incarnation it begins anew, without what the one before owned. Refused where a version of commands is
    enabled that it does not understand.
    """

    name: NodeName
    incarnation: str
    address: str
    workers: int
    labels: dict[str, str] = field(default_factory=dict)
    release: str = ""
    newest_command: CommandVersion = 1


class DrainNode(Command, frozen=True, kw_only=True, tag="drain_node"):
    """Give a node no work any more, so that what it has is given to others; or let it have some again. Answers Done."""

    name: NodeName
    draining: bool


class LeaveNode(Command, frozen=True, kw_only=True, tag="leave_node"):
    """Let a node go: it is given no work any more, and the leader removes it when it has none. Answers Done.

    It is not taken back. Came with version 2.
    """

    name: NodeName


class RemoveNode(Command, frozen=True, kw_only=True, tag="remove_node"):
    """Forget a node; its tasks are revoked. Answers Done, also if there is none."""

    name: NodeName


class EnableCommands(Command, frozen=True, kw_only=True, tag="enable_commands"):
    """Let commands of this version be proposed. Refused while a node does not understand them. Answers Done.

    It is never taken back: an older version than what is enabled changes nothing.
    """

    version: CommandVersion


# pipelines


class ApplyPipeline(Command, frozen=True, kw_only=True, tag="apply_pipeline"):
    """Create a pipeline, or give it a new version, and start a job of it unless it is to be paused or stopped.

    `spec` is linted before, canonical JSON. The same spec as the current one changes nothing. `if_revision` guards:
    0 means that there must be none yet, None does not ask. `keeps_positions` says that the source is still the same;
    False forgets the checkpoints and raises the generation. Answers Applied.
    """

    key: PipelineKey
    spec: bytes
    job: JobId
    if_revision: int | None = None
    keeps_positions: bool = True
    parallelism: int | None = None
    weight: int = 1
    node_selector: dict[str, str] = field(default_factory=dict)
    note: str = ""


class ApplyFilePipeline(ApplyPipeline, frozen=True, kw_only=True, tag="apply_file_pipeline"):
    """The same for a spec that writes files which only the node has that writes them. Came with version 4.

    Its tasks run where they first committed, until the positions are reset or that node leaves the cluster.
    """


class RollBack(Command, frozen=True, kw_only=True, tag="roll_back"):
    """Make an older version the current one, as a new version, else like ApplyPipeline. Answers Applied."""

    key: PipelineKey
    to: int
    job: JobId
    if_revision: int | None = None
    keeps_positions: bool = True


class SetDesired(Command, frozen=True, kw_only=True, tag="set_desired"):
    """Pause, stop or run. Idempotent. Answers Applied.

    `paused` keeps the job, `stopped` ends it; `running` goes on with a paused job and begins `job` otherwise, also
    where the one before has failed.
    """

    key: PipelineKey
    desired: Desired
    job: JobId


class RestartPipeline(Command, frozen=True, kw_only=True, tag="restart_pipeline"):
    """End the job, if there is one, and begin `job`, also of a paused or stopped pipeline. Answers Applied."""

    key: PipelineKey
    job: JobId


class DeletePipeline(Command, frozen=True, kw_only=True, tag="delete_pipeline"):
    """Forget a pipeline and end its job; its checkpoints are kept for a namesake where `keep_checkpoints`.

    From version 3 on those that were kept for longest are forgotten where there are too many. Answers Done.
    """

    key: PipelineKey
    if_revision: int | None = None
    keep_checkpoints: bool = False


class ResetPositions(Command, frozen=True, kw_only=True, tag="reset_positions"):
    """Forget the checkpoints of a stopped pipeline and raise its generation (I3). Answers Applied."""

    key: PipelineKey


class ForgetCheckpoints(Command, frozen=True, kw_only=True, tag="forget_checkpoints"):
    """Forget the checkpoints of a pipeline that is gone. Answers Done. Came with version 3.

    Refused while there is such a pipeline, and where it has left none.
    """

    key: PipelineKey


class RestoreCheckpoints(Command, frozen=True, kw_only=True, tag="restore_checkpoints"):
    """Put checkpoints of a backup where the pipeline will find them that is restored next; or forget those there are.

    Refused where there is such a pipeline. `anew` forgets first. Answers Done. Came with version 2.
    """

    key: PipelineKey
    rows: tuple[tuple[PartitionKey, StoredCheckpoint], ...]
    anew: bool = False


class RestorePipelines(Command, frozen=True, kw_only=True, tag="restore_pipelines"):
    """Make all pipelines of a backup at once, as they were, and begin the job of each that is to run. Answers Done.

    Refused where there is any pipeline, or anything still runs, or they are not whole. Epochs go on behind
    `last_epoch`. Came with version 2.
    """

    pipelines: tuple[Pipeline, ...]
    jobs: tuple[JobId, ...]
    last_epoch: int


class Prove(Command, frozen=True, kw_only=True, tag="prove"):
    """The leader saw an active job outlive its grace period. Answers Done."""

    job: JobId


# tasks


class ReportPartitions(Command, frozen=True, kw_only=True, tag="report_partitions"):
    """Discovery, under its epoch, tells which partitions the sources of its job have now. Answers Done.

    From version 3 on it is refused where there are too many, and of those that are not there any more the checkpoints
    are forgotten once too many others went later.
    """

    job: JobId
    epoch: int
    partitions: tuple[PartitionKey, ...]


class DealShares(Command, frozen=True, kw_only=True, tag="deal_shares"):
    """Divide all of a job's partitions among so many tasks, slot by slot. Answers Done.

    Refused if they were dealt meanwhile, or others reported. A task that runs goes on with what it holds until it is
    released and started again; one that is left without a share ends with its release.
    """

    job: JobId
    if_shares_revision: int
    shares: tuple[tuple[PartitionKey, ...], ...]


class AssignTasks(Command, frozen=True, kw_only=True, tag="assign_tasks"):
    """Say where tasks are to run. Answers Done.

    Moves of tasks, or to nodes, that are gone are left out, and so are those of tasks that are not to run and those to
    nodes that are draining.
    """

    moves: tuple[tuple[TaskKey, NodeName], ...]


class StartTasks(Command, frozen=True, kw_only=True, tag="start_tasks"):
    """A node begins tasks whose target it is and which nobody else owns. Answers Started.

    It may begin again what it owns. A task of which another one still holds a partition is not started: so a task
    whose share has changed is best released first, or two could wait for each other.
    """

    node: NodeName
    incarnation: str
    tasks: tuple[TaskKey, ...]


class ReleaseTasks(Command, frozen=True, kw_only=True, tag="release_tasks"):
    """A node does not run these epochs any more. Answers Done."""

    tasks: tuple[tuple[TaskKey, int], ...]


class RevokeNode(Command, frozen=True, kw_only=True, tag="revoke_node"):
    """The leader takes away what a node has whose lease is over: the tasks under epochs up to `last_epoch`.

    Answers Done.
    """

    node: NodeName
    last_epoch: int


class EndTasks(Command, frozen=True, kw_only=True, tag="end_tasks"):
    """These have read all there will ever be of what they hold, and run no more. Answers Done.

    When all of a job's partitions are read so, it is done. Discovery need not have ended for that, unless it found
    nothing.
    """

    tasks: tuple[tuple[TaskKey, int], ...]


class FailTask(Command, frozen=True, kw_only=True, tag="fail_task"):
    """A task can't go on and runs no more, and its job has failed. Answers Done.

    Where a newer version fails in its grace period an older one takes over as `fallback` (`jobs.fallback`).
    """

    key: TaskKey
    epoch: int
    error: Error
    fallback: JobId


class CommitCheckpoints(Command, frozen=True, kw_only=True, tag="commit_checkpoints"):
    """Commit for many tasks at once; each all or nothing (I3, I4). Answers Committed.

    A task commits under the epoch that runs, for partitions which that holds, in the generation of its pipeline, and
    of each partition a higher `seq` than before.
    """

    tasks: tuple[TaskCheckpoints, ...]


class TaskCheckpoints(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What one task commits."""

    key: TaskKey
    epoch: int
    checkpoints: tuple[tuple[PartitionKey, Checkpoint], ...]


# tokens


class CreateToken(Command, frozen=True, kw_only=True, tag="create_token"):
    """Let somebody join by a secret of which this is the salted hash. Answers Done.

    Refused while there are too many that are still good.
    """

    id: str
    salt: bytes
    digest: bytes
    expires_ms: int
    uses: int | None = 1


class UseToken(Command, frozen=True, kw_only=True, tag="use_token"):
    """Use one up. Refused if it is unknown, used up or over at `at_ms`. Answers Done."""

    id: str


class RevokeToken(Command, frozen=True, kw_only=True, tag="revoke_token"):
    """Forget one. Answers Done, also if there is none."""

    id: str


OperatorCommand = (
    DrainNode
    | LeaveNode
    | RemoveNode
    | EnableCommands
    | ApplyPipeline
    | ApplyFilePipeline
    | RollBack
    | SetDesired
    | RestartPipeline
    | DeletePipeline
    | ResetPositions
    | ForgetCheckpoints
    | RestoreCheckpoints
    | RestorePipelines
    | CreateToken
    | UseToken
    | RevokeToken
)
NodeCommand = (
    RegisterNode
    | Prove
    | ReportPartitions
    | DealShares
    | AssignTasks
    | StartTasks
    | ReleaseTasks
    | RevokeNode
    | EndTasks
    | FailTask
    | CommitCheckpoints
)
AnyCommand = OperatorCommand | NodeCommand


# answers


class Done(Struct, frozen=True, tag="done"):
    """It was carried out, or there was nothing to do."""


class Applied(Struct, frozen=True, kw_only=True, tag="applied"):
    """A pipeline is now like this. `changed` is False where it was before."""

    revision: int
    version: int
    desired: Desired
    job: JobId | None
    created: bool = False
    changed: bool = True


class Started(Struct, frozen=True, tag="started"):
    """For each task of the command its new epoch, None where it may not be started now."""

    epochs: tuple[int | None, ...]


class Committed(Struct, frozen=True, tag="committed"):
    """For each task of the command why its checkpoints were refused, None where they are committed."""

    refusals: tuple[Literal["fenced", "moved_back"] | None, ...]


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """It was not carried out, and nothing changed."""

    code: str
    message: str
    hint: str | None = None


Answer = Done | Applied | Started | Committed | Refused
