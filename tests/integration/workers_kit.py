"""A supervisor with real worker processes, under an owner that keeps the checkpoints in memory, fenced by epochs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from tests.waiting import until
from wire.cluster.commands import TaskCheckpoints
from wire.cluster.state import DISCOVERY, Error, JobId, PipelineKey, TaskKey
from wire.core.clock import SystemClock
from wire.core.errors import WireError
from wire.core.permissions import EVERYTHING
from wire.core.records import Checkpoint, PartitionId, PartitionKey
from wire.core.units import Duration
from wire.node.metrics.tally import Tally
from wire.node.supervisor import Supervisor, WorkerSettings
from wire.worker.protocol import Begin, Refusal, Run

DEADLINE_S = 90.0
SETTINGS = WorkerSettings(
    count=1, permissions=EVERYTHING, restart_after=Duration(10), commit_interval=Duration(10), grace=Duration(2000)
)


class Cluster:
    """The owner: what the agent of a node and the state machine are to be. It begins lost runs again by itself."""

    def __init__(self, settings: WorkerSettings = SETTINGS) -> None:
        self.pipelines: set[PipelineKey] = set()
        self.tally = Tally(self.pipelines.__contains__)
        self.supervisor = Supervisor(self, settings, SystemClock(), random.Random(1), self.tally.over)
        self.checkpoints: dict[PipelineKey, dict[PartitionKey, Checkpoint]] = {}
        self.epochs: dict[TaskKey, int] = {}
        self.ended: list[Run] = []
        self.released: list[Run] = []
        self.failed: dict[Run, Error] = {}
        self.lost: list[Run] = []
        self.fenced: list[Run] = []
        self.found: list[tuple[PartitionKey, ...]] = []
        self.refusals: list[Refusal] = []
        self.commits = 0
        self.answers = asyncio.Event()  # cleared: commits are taken and not answered, as without a leader
        self.answers.set()
        self._begun: dict[TaskKey, Begin] = {}
        self._last_epoch = 0

    @contextlib.asynccontextmanager
    async def running(self, deadline_s: float = DEADLINE_S) -> AsyncIterator[None]:
        async with asyncio.timeout(deadline_s), self.supervisor.running():
            yield

    def begin(self, spec: dict[str, Any], *partitions: str, slot: int = 0, patient: bool = False) -> Run:
        """Begin a task of a pipeline; `partitions` are those of its one source."""
        key = PipelineKey("default", spec["name"])
        self.pipelines.add(key)
        task = TaskKey(JobId(f"job of {spec['name']}"), slot)
        source = spec["source"]["type"]
        self._begun[task] = Begin(
            run=Run(task, 0),
            pipeline=key,
            generation=0,
            spec=json.dumps(spec).encode(),
            share=tuple(PartitionKey(source, PartitionId(partition)) for partition in partitions),
            patient=patient,
        )
        return self.begin_again(task)

    def discover(self, spec: dict[str, Any]) -> Run:
        return self.begin(spec, slot=DISCOVERY)

    def begin_again(self, task: TaskKey) -> Run:
        """Start a task once more, under a new epoch and from its last checkpoints."""
        begun = self._begun[task]
        self._last_epoch += 1
        self.epochs[task] = self._last_epoch
        stored = self.checkpoints.get(begun.pipeline, {})
        run = Run(task, self._last_epoch)
        self.supervisor.begin(
            Begin(
                run=run,
                pipeline=begun.pipeline,
                generation=begun.generation,
                spec=begun.spec,
                share=begun.share,
                checkpoints=tuple((key, stored[key]) for key in begun.share if key in stored),
                patient=begun.patient,
            )
        )
        return run

    # the port

    def task_ended(self, run: Run) -> None:
        self.ended.append(run)

    def task_released(self, run: Run) -> None:
        self.released.append(run)

    def task_failed(self, run: Run, error: Error) -> None:
        self.failed[run] = error

    def task_lost(self, run: Run, error: WireError) -> None:
        self.lost.append(run)
        self._begin_anew(run)

    def task_fenced(self, run: Run) -> None:
        self.fenced.append(run)
        self._begin_anew(run)

    def _begin_anew(self, run: Run) -> None:
        if self.epochs[run.task] == run.epoch:
            asyncio.get_running_loop().call_soon(self.begin_again, run.task)

    def partitions_found(self, run: Run, partitions: tuple[PartitionKey, ...]) -> None:
        self.found.append(partitions)

    async def commit(self, tasks: Sequence[TaskCheckpoints]) -> Sequence[Refusal | None]:
        self.commits += 1
        await self.answers.wait()
        answers = [self._apply(task) for task in tasks]
        self.refusals += [answer for answer in answers if answer]
        return answers

    def _apply(self, task: TaskCheckpoints) -> Refusal | None:
        stored = self.checkpoints.setdefault(self._begun[task.key].pipeline, {})
        if self.epochs[task.key] != task.epoch:
            return "fenced"
        for key, checkpoint in task.checkpoints:
            last = stored.get(key)
            if last and (checkpoint.generation, checkpoint.seq) <= (last.generation, last.seq):
                return "moved_back"
        stored.update(task.checkpoints)
        return None

    # looking on

    @property
    def losses(self) -> int:
        """How many workers were lost so far."""
        return sum(worker.losses for worker in self.supervisor.workers())

    async def over(self, task: TaskKey) -> None:
        """Wait until a task has ended for good."""
        await until(lambda: any(run.task == task for run in [*self.ended, *self.failed]), DEADLINE_S)
        assert not self.failed, self.failed

    async def pids(self, count: int = 1) -> list[int]:
        """Wait for so many workers and return their processes' ids."""
        await until(lambda: sum(1 for worker in self.supervisor.workers() if worker.rss_bytes) >= count, DEADLINE_S)
        return [worker.pid for worker in self.supervisor.workers() if worker.pid]

    def read(self, run: Run) -> int:
        """How many records a run has read so far."""
        progress = self.supervisor.progress().get(run)
        return progress.read if progress else 0


def numbered(path: Path, count: int) -> str:
    """Write a file of records that can be told apart, and return its name."""
    path.write_bytes(b"".join(b'{"n":%d}\n' % n for n in range(count)))
    return str(path)


def numbers(path: Path) -> list[int]:
    """What of them has arrived in a file."""
    return [json.loads(line)["n"] for line in path.read_bytes().splitlines()]


def from_file(name: str, source: str, target: Path, **more: Any) -> dict[str, Any]:
    """A pipeline from a file into a file, in many small steps."""
    return {
        "name": name,
        "source": {"type": "file", "config": {"path": source}},
        "sink": {"type": "file", "config": {"path": str(target)}},
        "batch": {"max_records": 100, "adaptive": False},
        "checkpoint": {"interval": "50ms"},
        **more,
    }


def slowly(name: str, count: int, target: Path) -> dict[str, Any]:
    """A pipeline that takes a few seconds to put its numbered records into a file."""
    source = {"type": "generate", "config": {"rate": 2000, "count": count, "fields": {"n": "sequence"}}}
    sink = {"type": "file", "config": {"path": str(target)}}
    return {"name": name, "source": source, "sink": sink, "checkpoint": {"interval": "50ms"}}


def endless(name: str, rate: float | None = 100, **more: Any) -> dict[str, Any]:
    """A pipeline that never ends and leaves nothing."""
    return {
        "name": name,
        "source": {"type": "generate", "config": {"rate": rate, "fields": {"n": "sequence"}}},
        "sink": {"type": "drop"},
        "checkpoint": {"interval": "50ms"},
        **more,
    }


def calling(name: str, function: str, marker: Path) -> dict[str, Any]:
    """An endless pipeline that calls a function, which leaves a mark."""
    fields = {"n": "sequence", "marker": {"type": "constant", "value": str(marker)}}
    transforms = [{"python": f"tests.integration.worker_functions:{function}"}]
    spec = endless(name, transforms=transforms)
    return {**spec, "source": {"type": "generate", "config": {"rate": 100, "fields": fields}}}


def alive(pid: int) -> bool:
    """Whether a process is there and not just unburied."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] != b"Z"
    except FileNotFoundError:
        return False


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
