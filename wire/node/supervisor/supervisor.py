"""The supervisor: begins and ends tasks on workers, and tells their owner what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import math
import random
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import structlog
from msgspec import Struct

from wire.cluster.commands import TaskCheckpoints
from wire.cluster.state import DISCOVERY, PipelineKey, TaskKey
from wire.core.clock import Clock
from wire.core.errors import RetryableError, WireError
from wire.node.supervisor.commits import Commits
from wire.node.supervisor.ports import TaskOwner
from wire.node.supervisor.process import LostError, WorkerProcess
from wire.node.supervisor.settings import WorkerSettings
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.retry import Backoff
from wire.pipelines.spec import RetrySpec
from wire.worker.channel import ProtocolError
from wire.worker.protocol import (
    Begin,
    Commit,
    CommitAnswer,
    End,
    Ended,
    Failed,
    FromWorker,
    Hello,
    Partitions,
    Refusal,
    Released,
    Report,
    Run,
    Sample,
    Tap,
    Tapped,
    Untap,
)

log = structlog.get_logger()

_STABLE_S: Final = 60.0


class WorkerStatus(Struct, frozen=True):
    """A worker as it was last heard of. `pid` is None while none runs; `delay_s` is how late its loop was.

    `cpu_s` is the processor time it has used, and those before it.
    """

    number: int
    pid: int | None
    tasks: int
    rss_bytes: int
    cpu_s: float
    delay_s: float
    losses: int


class _Hosting(Struct, eq=False):
    """A run that was begun: `worker` is None while none is ready for it."""

    begun: Begin
    worker: WorkerProcess | None = None
    progress: Progress | None = None
    ending: asyncio.TimerHandle | None = None
    committing: bool = False


class _Place(Struct, eq=False):
    """Where one worker is after the other: how many were lost, when the last one was, and the tasks it had then.

    `cpu_s` is what those that were lost have used.
    """

    losses: int = 0
    lost_at_s: float = -math.inf
    lost: frozenset[TaskKey] = frozenset()
    cpu_s: float = 0.0


class Supervisor:
    """Runs tasks on `settings.count` workers while `running`. A run stays on the worker it began on."""

    def __init__(
        self,
        owner: TaskOwner,
        settings: WorkerSettings,
        clock: Clock,
        rng: random.Random,
        over: Callable[[PipelineKey, Progress], None] = lambda _key, _progress: None,
    ) -> None:
        """Prepare; no process is started yet. `over` is told what each run said last of itself, once it is over."""
        self._owner = owner
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._over = over
        self._commits = Commits(owner.commit, clock, settings.commit_interval.s)
        self._workers: dict[int, WorkerProcess] = {}
        self._places = [_Place() for _ in range(settings.count)]
        self._runs: dict[Run, _Hosting] = {}
        self._waiting: dict[Run, _Hosting] = {}
        self._taps: dict[int, asyncio.Queue[Sample]] = {}
        self._tap_numbers = itertools.count(1)
        self._idle = asyncio.Event()
        self._idle.set()
        self.able = asyncio.Event()
        """Set once there has been a worker that is ready: until then what is begun waits."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the workers running inside; on the way out they are killed, whatever they do: `drain` first.

        Use it in the process's main thread: the kernel kills workers when the thread ends that started them.
        """
        async with asyncio.TaskGroup() as tasks:
            kept = [tasks.create_task(self._keep(number)) for number in range(self._settings.count)]
            kept.append(tasks.create_task(self._commits.run()))
            try:
                yield
            finally:
                for task in kept:
                    task.cancel()

    # what the owner asks for

    def begin(self, begun: Begin) -> None:
        """Begin a run as soon as there is a worker for it. It must not be known yet."""
        self._runs[begun.run] = self._waiting[begun.run] = _Hosting(begun)
        self._idle.clear()
        self._place()

    def end(self, run: Run, deadline_s: float) -> None:
        """Drain a run and let go of it within `deadline_s` and some grace; else its worker is killed.

        Does nothing for one that is gone or is to end already.
        """
        hosting = self._runs.get(run)
        if hosting is None or hosting.ending:
            return
        loop = asyncio.get_running_loop()
        if hosting.worker is None:
            del self._waiting[run]
            hosting.ending = loop.call_later(0, self._let_go, run)
            return
        hosting.worker.send(End(run, deadline_s))
        hosting.ending = loop.call_later(deadline_s + self._settings.grace.s, self._insist, run, hosting.worker)

    async def drain(self, deadline_s: float) -> None:
        """End all runs, and return when none is left: after `deadline_s`, a grace and a killing at the latest."""
        for run in list(self._runs):
            self.end(run, deadline_s)
        await self._idle.wait()

    def progress(self) -> Mapping[Run, Progress]:
        """Return how all runs fare that have told so far."""
        return {run: hosting.progress for run, hosting in self._runs.items() if hosting.progress}

    def moving(self) -> list[tuple[PipelineKey, Progress | None]]:
        """Return the pipeline of each run that moves records, and what it told last; discovery moves none."""
        hosted = self._runs.items()
        return [(each.begun.pipeline, each.progress) for run, each in hosted if run.task.slot != DISCOVERY]

    def workers(self) -> list[WorkerStatus]:
        """Return how the workers are."""
        return [self._status(number) for number in range(self._settings.count)]

    async def tap(self, pipeline: PipelineKey, count: int, patience_s: float) -> list[Sample]:
        """Return the next `count` records that tasks of a pipeline send to its sinks here, what is secret masked.

        They are fewer if no more come within `patience_s`, and none at once where no task of it runs.
        """
        number = next(self._tap_numbers)
        tapped = [
            (run, each.worker)
            for run, each in self._runs.items()
            if each.begun.pipeline == pipeline and each.worker is not None and run.task.slot != DISCOVERY
        ]
        queue = self._taps[number] = asyncio.Queue(count)
        samples: list[Sample] = []
        try:
            for run, worker in tapped:
                worker.send(Tap(number, run, count))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s if tapped else 0):
                    while len(samples) < count:
                        samples.append(await queue.get())
        finally:
            del self._taps[number]
            for run, worker in tapped:
                worker.send(Untap(number, run))
        return samples

    def _status(self, number: int) -> WorkerStatus:
        worker, place = self._workers.get(number), self._places[number]
        if worker is None:
            return WorkerStatus(number, None, 0, 0, place.cpu_s, 0.0, place.losses)
        pulse, cpu_s = worker.pulse, place.cpu_s + worker.pulse.cpu_s
        return WorkerStatus(
            number, worker.pid, len(worker.runs), pulse.rss_bytes, cpu_s, pulse.delay_s, place.losses
        )  # fmt: skip

    # workers

    async def _keep(self, number: int) -> None:
        """Have one worker running, and another when it is gone: soon, but ever later if none lasts."""
        settings = self._settings
        backoff = Backoff(RetrySpec(initial=settings.restart_after, max=settings.restart_after_at_most), self._rng)
        while True:
            worker = self._workers[number] = WorkerProcess(number, settings, self._heard)
            began_s = self._clock.monotonic()
            error = await worker.run()
            del self._workers[number]
            log.warning(
                "worker_lost",
                worker=number,
                pid=worker.pid,
                code=error.code,
                error=error.message,
                tasks=len(worker.runs),
            )
            self._lose(worker, error)
            if self._clock.monotonic() - began_s > _STABLE_S:
                backoff.reset()
            await self._clock.sleep(backoff.next_s(RetryableError(error.code, error.message)))

    def _lose(self, worker: WorkerProcess, error: WireError) -> None:
        place = self._places[worker.number]
        place.losses += 1
        place.lost_at_s = self._clock.monotonic()
        place.cpu_s += worker.pulse.cpu_s
        place.lost = frozenset(run.task for run in worker.runs)
        for run in list(worker.runs):
            if self._forget(run).ending is None:
                self._owner.task_lost(run, error)
            else:
                self._owner.task_released(run)
        self._place()  # those that waited for this place may go elsewhere by now

    def _place(self) -> None:
        """Give the runs that wait for one a worker, where there is one for them."""
        ready = {number: worker for number, worker in self._workers.items() if worker.ready}
        if not ready:
            return
        for run, hosting in list(self._waiting.items()):
            if worker := self._chosen(run.task, ready):
                del self._waiting[run]
                hosting.worker = worker
                worker.runs.add(run)
                worker.send(hosting.begun)

    def _chosen(self, task: TaskKey, ready: Mapping[int, WorkerProcess]) -> WorkerProcess | None:
        """Return the worker for a task, None if it is to wait.

        It is the one that has the fewest. But who was on a worker when it died goes back to its place for a while, and
        others stay away from there: a task that is the death of its worker must not go round them all.
        """
        shaky = {number for number, place in enumerate(self._places) if self._is_shaky(place)}
        for number in shaky:
            if task in self._places[number].lost:
                return ready.get(number)
        return min(ready.values(), key=lambda worker: (worker.number in shaky, len(worker.runs), worker.number))

    def _is_shaky(self, place: _Place) -> bool:
        return self._clock.monotonic() - place.lost_at_s < _STABLE_S

    def _insist(self, run: Run, worker: WorkerProcess) -> None:
        message = f"task {run.task.slot} of job {run.task.job} has not let go in time"
        worker.condemn(LostError("worker.not_drained", message))

    def _let_go(self, run: Run) -> None:
        self._forget(run)
        self._owner.task_released(run)

    def _forget(self, run: Run) -> _Hosting:
        hosting = self._runs.pop(run)
        if hosting.ending:
            hosting.ending.cancel()
        if hosting.worker:
            hosting.worker.runs.discard(run)
        if hosting.progress and run.task.slot != DISCOVERY:
            self._over(hosting.begun.pipeline, hosting.progress)
        if not self._runs:
            self._idle.set()
        return hosting

    # what the workers say

    def _heard(self, worker: WorkerProcess, message: FromWorker) -> None:
        match message:
            case Hello():
                self.able.set()
                self._place()
            case Report():
                self._hosted(worker, message.run).progress = message.progress
            case Commit():
                self._commit(worker, message)
            case Partitions():
                self._hosted(worker, message.run)
                self._owner.partitions_found(message.run, message.partitions)
            case Tapped():
                self._hosted(worker, message.run)
                self._take_samples(message)
            case Ended():
                self._done(worker, message.run)
                self._owner.task_ended(message.run)
            case Released():
                self._hosted(worker, message.run)
                if self._forget(message.run).ending is None:
                    self._owner.task_fenced(message.run)
                else:
                    self._owner.task_released(message.run)
            case Failed():
                self._done(worker, message.run)
                self._owner.task_failed(message.run, message.error)

    def _hosted(self, worker: WorkerProcess, run: Run) -> _Hosting:
        hosting = self._runs.get(run)
        if hosting is None or hosting.worker is not worker:
            raise ProtocolError("it speaks of a task that it was not given")
        return hosting

    def _done(self, worker: WorkerProcess, run: Run) -> None:
        self._hosted(worker, run)
        self._forget(run)

    def _commit(self, worker: WorkerProcess, message: Commit) -> None:
        hosting = self._hosted(worker, message.run)
        if hosting.committing:  # I8: one at a time
            raise ProtocolError("it commits again before the answer")
        hosting.committing = True
        task = TaskCheckpoints(message.run.task, message.run.epoch, message.checkpoints)
        self._commits.put(task, functools.partial(self._answer, hosting, worker, message.id))

    def _answer(self, hosting: _Hosting, worker: WorkerProcess, number: int, refusal: Refusal | None) -> None:
        hosting.committing = False
        worker.send(CommitAnswer(number, refusal))

    def _take_samples(self, message: Tapped) -> None:
        queue = self._taps.get(message.id)  # nobody waits for it if it came too late
        for sample in message.samples:
            if queue is not None and not queue.full():
                queue.put_nowait(sample)
