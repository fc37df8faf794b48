"""What a node and its workers say to each other. Both are of the same release: one is started by the other.

Configure goes to a worker once and Hello comes back; then Ping goes there and Pulse comes back, again and again.
Per run:

    node     Begin ─────────────────────────────── End ───────►
    worker      Report, Partitions … Commit ◄─► CommitAnswer …   then one of Ended, Released and Failed, and no more
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from wire.cluster.state import Error, PipelineKey, TaskKey
from wire.core.permissions import Permissions
from wire.core.ports import Lineage
from wire.core.records import Checkpoint, PartitionKey
from wire.pipelines.engine.progress import Progress
from wire.worker.masking import Shown

MAX_MESSAGE_BYTES: Final = 64 << 20
"""More than the largest specification, or the checkpoints of ten thousand partitions, come to."""

Refusal = Literal["fenced", "moved_back"]
"""Why checkpoints were not committed, as the cluster's state says it."""


class Run(NamedTuple):
    """One start of a task; a later one has a higher epoch."""

    task: TaskKey
    epoch: int


class Message(Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """What all messages have."""


# node to worker


class Configure(Message, frozen=True, tag="configure"):
    """The first message: what pipelines may reach on this machine, and how long a node may say nothing.

    `node` and `worker` are what the log calls them.
    """

    permissions: Permissions
    orphaned_after_s: float
    node: str
    worker: int


class Ping(Message, frozen=True, tag="ping"):
    """The node is there. One that is not can't renew its lease: its workers end, before others take its tasks over."""


class Begin(Message, frozen=True, kw_only=True, tag="begin"):
    """Run a task: `share` is what it reads and `checkpoints` where it goes on; discovery needs neither.

    It is one of so many `tasks` that read something, among which the pipeline's rates are divided.
    The only task of a pipeline is given the checkpoints of partitions that are gone, too: a sink may need them. `spec`
    is the pipeline as JSON, with its references unresolved. A `patient` run waits for what can't be reached when it
    begins, as all do later; any other fails, so that the author of a new version learns of it. `lineage` tells the
    pipeline from any other there is or was, in whatever cluster.
    """

    run: Run
    pipeline: PipelineKey
    version: int | None = None
    generation: int
    lineage: Lineage = Lineage()
    spec: bytes
    share: tuple[PartitionKey, ...] = ()
    tasks: int = 1
    checkpoints: tuple[tuple[PartitionKey, Checkpoint], ...] = ()
    patient: bool = False


class End(Message, frozen=True, tag="end"):
    """Drain a run, commit its last checkpoint and let go of it: after `deadline_s` at the latest."""

    run: Run
    deadline_s: float


class CommitAnswer(Message, frozen=True, tag="commit_answer"):
    """What became of a commit: all of it is durable, or was refused."""

    id: int
    refusal: Refusal | None


class Tap(Message, frozen=True, tag="tap"):
    """Send the next `count` records that go to a sink, what is secret in them masked. `id` names who wants them."""

    id: int
    run: Run
    count: int


class Untap(Message, frozen=True, tag="untap"):
    """Send no more of them."""

    id: int
    run: Run


# worker to node


class Hello(Message, frozen=True, tag="hello"):
    """The worker is ready."""

    pid: int


class Pulse(Message, frozen=True, tag="pulse"):
    """The worker's loop turns. `delay_s` is how late this message is, `cpu_s` the processor time used so far."""

    delay_s: float
    rss_bytes: int
    cpu_s: float


class Commit(Message, frozen=True, tag="commit"):
    """Make these checkpoints durable and answer. A run has one commit under way at a time."""

    id: int
    run: Run
    checkpoints: tuple[tuple[PartitionKey, Checkpoint], ...]


class Report(Message, frozen=True, tag="report"):
    """How a run fares."""

    run: Run
    progress: Progress


class Partitions(Message, frozen=True, tag="partitions"):
    """Discovery found that the sources have these partitions now, other ones than before."""

    run: Run
    partitions: tuple[PartitionKey, ...]


class Ended(Message, frozen=True, tag="ended"):
    """A run has read, written and committed all there will ever be."""

    run: Run


class Released(Message, frozen=True, tag="released"):
    """A run was ended from outside, or is fenced, and does nothing any more."""

    run: Run


class Failed(Message, frozen=True, tag="failed"):
    """A run can't go on, and does nothing any more."""

    run: Run
    error: Error


class Sample(Struct, frozen=True):
    """A record as it went to a sink, as far as it may be shown."""

    sink: str
    source: str
    partition: str
    offset: int
    ts_ms: int
    key: Shown | None
    value: Shown | None


class Tapped(Message, frozen=True, tag="tapped"):
    """Records that were asked for by Tap."""

    id: int
    run: Run
    samples: tuple[Sample, ...]


FromNode = Configure | Ping | Begin | End | CommitAnswer | Tap | Untap
FromWorker = Hello | Pulse | Commit | Report | Partitions | Ended | Released | Failed | Tapped

FROM_NODE: Final = msgspec.msgpack.Decoder(FromNode)
FROM_WORKER: Final = msgspec.msgpack.Decoder(FromWorker)
