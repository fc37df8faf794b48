"""Tasks and checkpoints, in the dumb model."""

from __future__ import annotations

from typing import Literal

from tests.unit.cluster.model_pipelines import Pipelines
from tests.unit.cluster.model_rows import Row, find, new_task, refused
from wire.cluster import checkpoints
from wire.cluster import commands as c
from wire.cluster.commands import Answer, Committed, Done, Started
from wire.cluster.state import TaskKey
from wire.core.records import PartitionKey


class Tasks(Pipelines):
    def running(self, key: object, epoch: int) -> Row | None:
        task = find(self.tasks, key=key, epoch=epoch)
        return task if task is not None and task["owner"] is not None else None

    def report_partitions(self, command: c.ReportPartitions) -> Answer:
        job = self.job(command.job)
        if job is None or job["state"] != "active" or not self.running((command.job, -1), command.epoch):
            return Done()
        if self.version >= 3 and len(command.partitions) > checkpoints.MAX_PARTITIONS:
            return refused("too_many_partitions")
        job["partitions"] = tuple(sorted(set(command.partitions)))
        if self.version >= 3:
            self.prune(job["pipeline"], job["partitions"])
        return Done()

    def prune(self, name: object, there: tuple[PartitionKey, ...]) -> None:
        """What was reported comes to the end of all rows; what is in no report and no task goes from the beginning."""
        for partition in there:
            row = find(self.checkpoints, pipeline=name, partition=partition)
            if row is not None:
                self.checkpoints.remove(row)
                self.checkpoints.append(row)
        idle = [
            row
            for row in self.checkpoints
            if row["pipeline"] == name
            and row["partition"] not in there
            and not any(
                row["partition"] in (*task["share"], *task["held"])
                for task in self.tasks
                if self.pipeline_name(task) == name
            )
        ]
        while len(idle) > checkpoints.MAX_GONE:
            self.checkpoints.remove(idle.pop(0))

    def deal_shares(self, command: c.DealShares) -> Answer:
        job = self.job(command.job)
        if job is None or job["state"] != "active":
            return refused("job_not_active")
        dealt = [partition for share in command.shares for partition in share]
        if command.if_shares_revision != job["shares_revision"] or job["partitions"] != tuple(sorted(dealt)):
            return refused("shares_changed")
        job["shares_revision"] += 1
        for slot, share in enumerate(command.shares):
            if share and find(self.tasks, key=(command.job, slot)) is None:
                self.tasks.append(new_task(command.job, slot))
        for task in self.tasks:
            if task["key"].job != command.job or task["key"].slot < 0:
                continue
            slot = task["key"].slot
            share = command.shares[slot] if slot < len(command.shares) else ()
            if any(partition not in task["share"] for partition in share):
                task["ended"] = False
            task["share"] = share
        return Done()

    def assign_tasks(self, command: c.AssignTasks) -> Answer:
        for key, name in command.moves:
            task, node = find(self.tasks, key=key), find(self.nodes, name=name)
            if task is None or node is None or node["draining"] or task["target"] == name:
                continue
            if self.is_bound_elsewhere(key, name):
                continue
            before = task["target"], task["moved_ms"]
            task["target"], task["moved_ms"] = name, self.now
            self.settle()
            if task["target"] is None:
                task["target"], task["moved_ms"] = before
        return Done()

    def start_tasks(self, command: c.StartTasks) -> Answer:
        node = find(self.nodes, name=command.node, incarnation=command.incarnation)
        return Started(tuple(self.start(key, command.node) if node else None for key in command.tasks))

    def start(self, key: TaskKey, node: str) -> int | None:
        task = find(self.tasks, key=key)
        if task is None or task["target"] != node or (task["owner"] is not None and task["owner"] != node):
            return None
        if self.is_bound_elsewhere(key, node):
            return None
        name = self.pipeline_name(task)
        for other in self.tasks:
            if other is not task and self.pipeline_name(other) == name and set(other["held"]) & set(task["share"]):
                return None
        self.epoch += 1
        task["owner"], task["epoch"], task["held"] = node, self.epoch, task["share"]
        if self.version >= 3:
            task["started_ms"] = self.now
        return self.epoch

    def pipeline_name(self, task: Row) -> object:
        job = self.job(task["key"].job)
        assert job is not None
        return job["pipeline"]

    def take_from(self, node: str, last_epoch: int | None = None) -> None:
        for task in self.tasks:
            if task["owner"] == node and (last_epoch is None or task["epoch"] <= last_epoch):
                task["owner"], task["held"] = None, ()

    def release_tasks(self, command: c.ReleaseTasks) -> Answer:
        for key, epoch in command.tasks:
            if (task := self.running(key, epoch)) is not None:
                task["owner"], task["held"] = None, ()
        return Done()

    def revoke_node(self, command: c.RevokeNode) -> Answer:
        self.take_from(command.node, command.last_epoch)
        return Done()

    def end_tasks(self, command: c.EndTasks) -> Answer:
        for key, epoch in command.tasks:
            if (task := self.running(key, epoch)) is not None:
                task["ended"] = all(partition in task["held"] for partition in task["share"])
                task["owner"], task["held"] = None, ()
        return Done()

    def fail_task(self, command: c.FailTask) -> Answer:
        task = self.running(command.key, command.epoch)
        job = self.job(command.key.job)
        if task is None or job is None:
            return Done()
        task["owner"], task["held"] = None, ()
        self.settle()
        if job["state"] != "active":
            return Done()
        job["state"], job["ended_ms"], job["error"] = "failed", self.now, command.error
        pipeline = find(self.pipelines, key=job["pipeline"])
        assert pipeline is not None
        back = self.version_before(pipeline, job)
        if back is not None and not self.job(command.fallback):
            pipeline["current"] = back
            self.touch(pipeline)
            self.begin(pipeline, command.fallback, job["version"])
            detail = f"version {job['version']} failed: {command.error.code}; back to version {back}"
            self.changed("/".join(pipeline["key"]), detail)
        return Done()

    def version_before(self, pipeline: Row, job: Row) -> int | None:
        proven: int | None = pipeline["proven"]
        if proven is not None:
            return proven if proven < job["version"] else None
        if self.version < 3:
            return None
        last: Row | None = None
        for each in self.jobs:
            if each["pipeline"] == pipeline["key"] and each["version"] < job["version"]:
                last = each
        if last is None or last["state"] == "failed" or last["generation"] != pipeline["generation"]:
            return None
        kept = [version["number"] for version in pipeline["versions"]]
        return last["version"] if last["version"] in kept else None

    def commit_checkpoints(self, command: c.CommitCheckpoints) -> Answer:
        return Committed(tuple(self.commit(each) for each in command.tasks))

    def commit(self, theirs: c.TaskCheckpoints) -> Literal["fenced", "moved_back"] | None:
        task = self.running(theirs.key, theirs.epoch)
        if task is None:
            return "fenced"
        pipeline = find(self.pipelines, key=self.pipeline_name(task))
        if pipeline is None:
            return "fenced"
        rows = list(self.checkpoints)
        for partition, checkpoint in theirs.checkpoints:
            if partition not in task["held"] or checkpoint.generation != pipeline["generation"]:
                return "fenced"
            last = find(rows, pipeline=pipeline["key"], partition=partition)
            if last is not None:
                before = last["checkpoint"]
                if (checkpoint.generation, checkpoint.seq) <= (before.generation, before.seq):
                    return "moved_back"
            row = {
                "pipeline": pipeline["key"],
                "partition": partition,
                "epoch": theirs.epoch,
                "checkpoint": checkpoint,
            }
            rows = [row if each is last else each for each in rows] if last is not None else [*rows, row]
        self.checkpoints = rows
        job = self.job(theirs.key.job)
        leaving = any(each["leaving"] for each in self.nodes if each["name"] == task["owner"])
        there = find(self.nodes, name=task["owner"]) is not None
        if theirs.checkpoints and self.version >= 4 and job and job["keeps_files"] and there and not leaving:
            pipeline["home"] = pipeline["home"] or task["owner"]
        return None

    def is_bound_elsewhere(self, key: TaskKey, node: str) -> bool:
        job = self.job(key.job)
        pipeline = find(self.pipelines, key=job["pipeline"]) if job else None
        bound = job is not None and job["keeps_files"] and key.slot >= 0 and pipeline is not None
        return bool(bound and pipeline and pipeline["home"] not in (None, node))
