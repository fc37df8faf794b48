"""What must hold in every state, and between a state and the next."""

from __future__ import annotations

from typing import Any

from tests.unit.cluster.model_rows import picture
from wire.cluster import checkpoints
from wire.cluster.commands import (
    Answer,
    AnyCommand,
    Done,
    Refused,
    ReportPartitions,
    RestoreCheckpoints,
    RestorePipelines,
    Started,
)
from wire.cluster.jobs import MAX_ENDED
from wire.cluster.pipelines import MAX_VERSIONS
from wire.cluster.state import DISCOVERY, PipelineKey, State, TaskKey
from wire.core.records import PartitionKey


class Invariants:
    """Looks at a state after each command."""

    def __init__(self) -> None:
        self._before: dict[str, Any] = picture(State())
        self._epochs: set[int] = set()
        self._revisions: dict[PipelineKey, int] = {}
        self._committed: dict[tuple[PipelineKey, PartitionKey], tuple[int, int]] = {}
        self._left: set[PipelineKey] = set()

    def check(self, state: State, index: int, command: AnyCommand, answer: Answer) -> None:
        now = picture(state)
        assert now["now"] >= max(self._before["now"], command.at_ms)
        if isinstance(answer, Refused):
            assert {**now, "now": 0} == {**self._before, "now": 0}, "refused, and yet something changed"
        if isinstance(command, RestorePipelines) and isinstance(answer, Done):
            self._epochs.add(command.last_epoch)  # those of the cluster that the backup is of are taken
        if isinstance(command, RestoreCheckpoints):  # of a pipeline that is not there: it has nothing to go back from
            self._committed = {which: at for which, at in self._committed.items() if which[0] != command.key}
        self._epochs_rise(state, answer)
        self._tasks(state)
        self._jobs(state)
        self._checkpoints(state, command)
        self._size(state, command, answer)
        self._revisions_rise(state, index, now)
        self._before = now

    def _epochs_rise(self, state: State, answer: Answer) -> None:
        """I4."""
        if isinstance(answer, Started):
            new = [epoch for epoch in answer.epochs if epoch is not None]
            assert new == sorted(set(new))
            assert all(epoch > max(self._epochs, default=0) for epoch in new)
            self._epochs.update(new)
        assert state.last_epoch == max(self._epochs, default=0)
        owned = [task.epoch for task in state.tasks.values() if task.owner is not None]
        assert len(owned) == len(set(owned))
        assert all(task.epoch in {0, *self._epochs} for task in state.tasks.values())

    def _tasks(self, state: State) -> None:
        held: set[tuple[PipelineKey, PartitionKey]] = set()
        for key, task in state.tasks.items():
            job = state.jobs[key.job]
            pipeline = state.pipelines.get(job.pipeline)
            assert task.key == key
            for partition in task.held:
                assert (job.pipeline, partition) not in held, "two tasks hold one partition"
                held.add((job.pipeline, partition))
                assert state.tasks.holder(key.job, partition) == key
            assert task.owner is not None or not task.held
            if task.owner is None:
                assert job.state == "active"
                assert task.share or key.slot == DISCOVERY
            if task.target is not None:
                assert task.target in state.nodes
                assert job.state == "active"
                assert pipeline is not None
                assert pipeline.desired == "running"
                assert not task.ended
                assert task.share or key.slot == DISCOVERY
        for node in {*state.nodes, *(task.owner for task in state.tasks.values() if task.owner is not None)}:
            owned = {task.key: task for task in state.tasks.values() if task.owner == node}
            assert {task.key: task for task in state.tasks.owned_by(node)} == owned
        for node in state.nodes:
            meant = {task.key: task for task in state.tasks.values() if task.target == node}
            assert {task.key: task for task in state.tasks.meant_for(node)} == meant

    def _jobs(self, state: State) -> None:
        for job in state.jobs.values():
            tasks = sorted((task for task in state.tasks.values() if task.key.job == job.id), key=lambda t: t.key.slot)
            assert state.tasks_of(job.id) == tasks
            assert state.tasks.any_of(job.id) == bool(tasks)
            assert (job.state == "active") == (job.ended_ms is None)
            if job.state == "active":
                assert state.pipelines[job.pipeline].job == job.id
                assert TaskKey(job.id, DISCOVERY) in state.tasks
                shares = [partition for task in tasks for partition in task.share]
                assert len(shares) == len(set(shares)), "two tasks are to read one partition"
        for key in {*state.pipelines, *(job.pipeline for job in state.jobs.values())}:
            of_it = [job for job in state.jobs.values() if job.pipeline == key]
            assert state.jobs.of(key) == of_it
            over = [job for job in of_it if not state.tasks.any_of(job.id)]
            assert len(over) <= (MAX_ENDED if key in state.pipelines else 0)
        for pipeline in state.pipelines.values():
            assert pipeline.job is None or state.jobs[pipeline.job].state != "ended"
            assert pipeline.desired != "stopped" or pipeline.job is None

    def _size(self, state: State, command: AnyCommand, answer: Answer) -> None:
        """I8: what is gone is not remembered for ever."""
        left = set(state.checkpoints) - set(state.pipelines)
        assert set(state.kept) <= left
        assert len(state.kept) <= checkpoints.MAX_KEPT
        if state.bounded:
            restored = {command.key} if isinstance(command, RestoreCheckpoints) else set()
            assert left - self._left <= {*state.kept, *restored}, "left for ever"
        self._left = left
        if not state.bounded or not isinstance(command, ReportPartitions) or isinstance(answer, Refused):
            return
        if _counts(state, command):
            job = state.jobs[command.job]
            assert len(job.partitions or ()) <= checkpoints.MAX_PARTITIONS
            rows = state.checkpoints.get(job.pipeline, {})
            idle = set(rows).difference(job.partitions or (), _in_use(state, job.pipeline))
            assert len(idle) <= checkpoints.MAX_GONE, "partitions that are gone are remembered for ever"

    def _checkpoints(self, state: State, command: AnyCommand) -> None:
        """I3."""
        now = {
            (key, partition): (row.checkpoint.generation, row.checkpoint.seq)
            for key, rows in state.checkpoints.items()
            for partition, row in rows.items()
        }
        for (key, partition), (generation, seq) in now.items():
            pipeline = state.pipelines.get(key)
            assert pipeline is None or pipeline.generation == generation
            assert self._committed.get((key, partition), (0, -100)) <= (generation, seq)
        for (key, partition), (generation, _) in self._committed.items():
            if (key, partition) not in now and key in state.pipelines and key in self._revisions:
                fenced = state.pipelines[key].generation > generation
                assert fenced or isinstance(command, ReportPartitions), "forgotten, and not fenced"
                assert fenced or partition not in _in_use(state, key), "forgotten, and somebody goes on from there"
        self._committed = now

    def _revisions_rise(self, state: State, index: int, now: dict[str, Any]) -> None:
        before = {row["key"]: row for row in self._before["pipelines"]}
        for row in now["pipelines"]:
            old = before.get(row["key"])
            what = ("versions", "current", "desired", "generation")
            if old is None or any(old[name] != row[name] for name in what):
                assert row["revision"] == index
                assert index > self._revisions.get(row["key"], 0)
            else:
                assert row["revision"] in (old["revision"], index)
            assert old is None or row["generation"] >= old["generation"]
            self._revisions[row["key"]] = row["revision"]
            numbers = [version["number"] for version in row["versions"]]
            assert numbers == sorted(set(numbers))
            assert len(numbers) <= MAX_VERSIONS
            assert row["current"] in numbers
            assert row["proven"] is None or row["proven"] in numbers
        for key in before.keys() - {row["key"] for row in now["pipelines"]}:
            assert key not in state.pipelines


def _counts(state: State, command: ReportPartitions) -> bool:
    discovery = state.tasks.get(TaskKey(command.job, DISCOVERY))
    is_active = command.job in state.jobs and state.jobs[command.job].state == "active"
    runs = discovery is not None and discovery.owner is not None and discovery.epoch == command.epoch
    return is_active and runs


def _in_use(state: State, key: PipelineKey) -> set[PartitionKey]:
    """Return what the tasks of a pipeline are to read, or read still."""
    tasks = [task for task in state.tasks.values() if state.jobs[task.key.job].pipeline == key]
    return {partition for task in tasks for partition in (*task.share, *task.held)}
