"""The agent: has this node run what the cluster's state wants of it, and tells the state what has become of that.

Everything goes the same way: something has changed, or a second has passed; what the workers said is proposed; what is
wanted is compared with what runs; the difference is put right. A proposal that fails is made again in a later round,
from what is known then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import structlog

from wire.cluster.commands import (
    AnyCommand,
    CommitCheckpoints,
    Committed,
    Done,
    EndTasks,
    FailTask,
    ReleaseTasks,
    ReportPartitions,
    Started,
    StartTasks,
    TaskCheckpoints,
)
from wire.cluster.state import Error, JobId, NodeName, TaskKey
from wire.cluster.tasks import TOO_MANY_PARTITIONS
from wire.core.clock import Clock
from wire.core.errors import RefusedError, RetryableError, WireError
from wire.core.records import PartitionKey
from wire.core.uuids import Uuids
from wire.node.control.asking import Asking
from wire.node.data_dir import Identity
from wire.node.leases import OwnLease, awake
from wire.node.losses import MOST_LOSSES, Losses
from wire.node.reconciling import beginning, steps
from wire.node.supervisor import Supervisor
from wire.worker.protocol import Refusal, Run

log = structlog.get_logger()

_TICK_S: Final = 1.0
_ROUND_S: Final = 0.05  # what changes within it is looked at once
_RETRY_S: Final = 0.5
_LEADERLESS_S: Final = 5.0  # several elections would have been over by then
_FENCED: Final = "checkpoint.fenced"
_LOST_HINT: Final = (
    "look at the log of that node for `worker_lost`: a function that crashes or hangs, or too much memory"
)


class Agent:
    """A `TaskOwner`. `use` the supervisor that tells it, then `run`; `wake` it when the state or the lease changed."""

    def __init__(
        self, identity: Identity, asking: Asking, lease: OwnLease, clock: Clock, uuids: Uuids, drain_s: float
    ) -> None:
        """Act for a node. A task that goes elsewhere has `drain_s` to come to a good end."""
        self._node = NodeName(identity.name)
        self._incarnation = identity.incarnation
        self._cluster = identity.cluster or ""
        self._asking = asking
        self._lease = lease
        self._clock = clock
        self._uuids = uuids
        self._drain_s = drain_s
        self._supervisor: Supervisor | None = None
        self._wake = asyncio.Event()
        self._runs: dict[TaskKey, Run] = {}  # the supervisor has them, or what became of them is to be told (I8)
        self._ended: dict[Run, None] = {}
        self._released: dict[Run, None] = {}
        self._failed: dict[Run, Error] = {}
        self._found: dict[Run, tuple[PartitionKey, ...]] = {}
        self._losses = Losses()
        self._leaving = False
        self.leases_lost = 0
        """How often the lease was over while tasks ran."""

    def use(self, supervisor: Supervisor) -> None:
        """Have tasks run by `supervisor`, which was made with this as its owner."""
        self._supervisor = supervisor

    def wake(self) -> None:
        """Look again soon. On the event loop."""
        self._wake.set()

    @property
    def running(self) -> int:
        """How many tasks this node runs, or has still to tell of."""
        return len(self._runs)

    async def run(self) -> None:
        """Do all this until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._guard())
            tasks.create_task(self._reconcile())

    async def leave(self, deadline_s: float) -> None:
        """Begin nothing any more, let everything come to an end, and tell the cluster, while `run` runs.

        Returns when that is done; what is not told within `deadline_s` and the grace of the workers, or because nobody
        leads, is given up: the cluster notices when the lease is over.
        """
        self._leaving = True
        supervisor = self._supervised
        await supervisor.drain(deadline_s)
        self.wake()
        until_s = self._clock.monotonic() + deadline_s
        led_s = self._clock.monotonic()
        while self._ended or self._released or self._failed:
            await self._clock.sleep(_ROUND_S)
            now_s = self._clock.monotonic()
            if self._asking.node.status().leader is not None:
                led_s = now_s
            if now_s > min(until_s, led_s + _LEADERLESS_S):
                log.warning("tasks_not_released", tasks=len(self._runs))
                return

    # rounds

    @property
    def _supervised(self) -> Supervisor:
        if self._supervisor is None:
            raise asyncio.InvalidStateError("the agent has no supervisor")
        return self._supervisor

    async def _guard(self) -> None:
        """Stop everything when the lease is over, whatever else waits: others may be given it by now (I4)."""
        while True:
            while left_ms := self._lease.left_ms(awake()):
                await self._clock.sleep(left_ms / 1000)
            if self._runs:
                self.leases_lost += 1
                log.warning("lease_lost", tasks=len(self._runs))
            for run in self._runs.values():
                self._supervised.end(run, 0)
            while not self._lease.left_ms(awake()):
                await self._clock.sleep(_RETRY_S)

    async def _reconcile(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._round()
            except WireError as exc:  # what is to be told is kept
                _tell_of("agent_waits", exc)
                await self._clock.sleep(_RETRY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._wake.wait()
            await self._clock.sleep(_ROUND_S)

    async def _round(self) -> None:
        await self._tell()
        if not self._may_begin:
            return
        wanted = steps(self._asking.known, self._node, self._incarnation, self._runs)
        for run in wanted.drain:
            self._supervised.end(run, self._drain_s)
        for run in wanted.drop:
            self._supervised.end(run, 0)
        if wanted.release:
            await self._propose(ReleaseTasks(at_ms=self._now_ms(), actor=self._node, tasks=wanted.release))
        if wanted.start and self._may_begin:
            await self._start(wanted.start)

    @property
    def _may_begin(self) -> bool:
        return not self._leaving and self._lease.left_ms(awake()) > 0

    async def _start(self, keys: tuple[TaskKey, ...]) -> None:
        command = StartTasks(
            at_ms=self._now_ms(), actor=self._node, node=self._node, incarnation=self._incarnation, tasks=keys
        )
        before = self._asking.known.tasks
        ran = {key for key in keys if key in before and before[key].epoch}
        started = await self._asking.carry_out(command, b"", Started)
        for key, epoch in zip(keys, started.epochs, strict=True):
            if epoch is None:  # it is not to be started yet
                continue
            begun = beginning(self._asking.known, self._cluster, self._node, key, epoch, ran_before=key in ran)
            if begun is None or not self._may_begin:  # or not any more
                continue
            self._runs[key] = begun.run
            self._supervised.begin(begun)

    async def _tell(self) -> None:
        """Propose what the workers have said, and forget it once the cluster knows."""
        for run, partitions in list(self._found.items()):
            await self._report(run, partitions)
            if self._found.get(run) == partitions:
                del self._found[run]
        for run, error in list(self._failed.items()):
            await self._propose(self._failure(run, error))
            self._forget(run)
        if ended := tuple(self._ended):
            await self._propose(EndTasks(at_ms=self._now_ms(), actor=self._node, tasks=ended))
            for run in ended:
                self._forget(run)
        if released := tuple(self._released):
            await self._propose(ReleaseTasks(at_ms=self._now_ms(), actor=self._node, tasks=released))
            for run in released:
                self._forget(run)

    async def _report(self, run: Run, partitions: tuple[PartitionKey, ...]) -> None:
        """Tell what discovery has found. Where that is too much, it has failed."""
        command = ReportPartitions(
            at_ms=self._now_ms(), actor=self._node, job=run.task.job, epoch=run.epoch, partitions=partitions
        )
        try:
            await self._propose(command)
        except RefusedError as exc:
            if exc.code != TOO_MANY_PARTITIONS:
                raise
            self._supervised.end(run, 0)
            self._failed[run] = Error(exc.code, exc.message, hint=exc.hint)

    def _failure(self, run: Run, error: Error) -> FailTask | ReleaseTasks:
        """Return what to propose for a run that failed: one that was fenced has not failed, but is over (I4)."""
        if error.code == _FENCED:
            return ReleaseTasks(at_ms=self._now_ms(), actor=self._node, tasks=(run,))
        fallback = JobId(str(self._uuids.next()))
        return FailTask(
            at_ms=self._now_ms(), actor=self._node, key=run.task, epoch=run.epoch, error=error, fallback=fallback
        )

    def _forget(self, run: Run) -> None:
        for told in (self._ended, self._released, self._failed, self._found):
            told.pop(run, None)
        if self._runs.get(run.task) == run:
            del self._runs[run.task]
        self.wake()

    async def _propose(self, command: AnyCommand) -> None:
        """Have a command carried out that does no harm if it is carried out twice."""
        await self._asking.carry_out(command, b"", Done)

    def _now_ms(self) -> int:
        return self._asking.now_ms()

    # what the supervisor tells

    def task_ended(self, run: Run) -> None:  # noqa: D102 (contract in TaskOwner)
        log.info("task_ended", **self._about(run))
        self._ended[run] = None
        self.wake()

    def task_released(self, run: Run) -> None:  # noqa: D102 (contract in TaskOwner)
        log.info("task_released", **self._about(run))
        self._released[run] = None
        self.wake()

    def task_failed(self, run: Run, error: Error) -> None:  # noqa: D102 (contract in TaskOwner)
        log.warning("task_failed", **self._about(run), code=error.code, error=error.message)
        self._failed[run] = error
        self.wake()

    def task_lost(self, run: Run, error: WireError) -> None:  # noqa: D102 (contract in TaskOwner)
        log.warning("task_lost", **self._about(run), code=error.code, error=error.message)
        if self._losses.add(self._asking.known, run.task):
            why = f"its worker was lost {MOST_LOSSES} times before this version was proven; at last: {error.message}"
            self.task_failed(run, Error("worker.lost_repeatedly", why, hint=_LOST_HINT))
        else:
            self._begin_anew(run)

    def task_fenced(self, run: Run) -> None:  # noqa: D102 (contract in TaskOwner)
        log.warning("task_fenced", **self._about(run))
        self._begin_anew(run)

    def _begin_anew(self, run: Run) -> None:
        self._found.pop(run, None)
        self._runs.pop(run.task, None)
        self.wake()

    def partitions_found(self, run: Run, partitions: tuple[PartitionKey, ...]) -> None:  # noqa: D102
        self._found[run] = partitions
        self.wake()

    def _about(self, run: Run) -> dict[str, str | int]:
        job = self._asking.known.jobs.get(run.task.job)
        pipeline = {} if job is None else {"pipeline": "/".join(job.pipeline)}
        return {**pipeline, "job": run.task.job, "slot": run.task.slot, "epoch": run.epoch}

    async def commit(self, tasks: Sequence[TaskCheckpoints]) -> Sequence[Refusal | None]:  # noqa: D102
        request_id = self._uuids.next().bytes  # asked for again, it is carried out once
        command = CommitCheckpoints(at_ms=self._now_ms(), actor=self._node, tasks=tuple(tasks))
        while True:
            try:
                answer = await self._asking.carry_out(command, request_id, Committed)
            except WireError as exc:  # tasks wait for as long as that lasts
                _tell_of("commit_waits", exc)
                await self._clock.sleep(_RETRY_S)
            else:
                return answer.refusals


def _tell_of(event: str, exc: WireError) -> None:
    """Say why something is tried again; that nobody leads for a while is no reason to say much."""
    tell = log.debug if isinstance(exc, RetryableError) else log.warning
    tell(event, code=exc.code, reason=exc.message)
