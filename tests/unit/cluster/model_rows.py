"""What the dumb model is made of: dicts in lists, and no more."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from wire.cluster.commands import AnyCommand, Refused
from wire.cluster.state import JobId, State, TaskKey

Row = dict[str, Any]


def find(rows: list[Row], **wanted: object) -> Row | None:
    for row in rows:
        if all(row[name] == value for name, value in wanted.items()):
            return row
    return None


def picture(state: State) -> Row:
    """Return all that is in a real state, in the model's form."""
    return {
        "version": state.command_version,
        "now": state.now_ms,
        "epoch": state.last_epoch,
        "nodes": by([asdict(row) for row in state.nodes.values()], "name"),
        "pipelines": by(
            [
                {**asdict(row), "versions": [asdict(version) for version in row.versions]}
                for row in state.pipelines.values()
            ],
            "key",
        ),
        "jobs": [asdict(row) for row in state.jobs.values()],
        "tasks": by([asdict(row) for row in state.tasks.values()], "key"),
        "checkpoints": by(
            [
                {"pipeline": key, "partition": partition, "epoch": row.epoch, "checkpoint": row.checkpoint}
                for key, rows in state.checkpoints.items()
                for partition, row in rows.items()
            ],
            "pipeline",
            "partition",
        ),
        "kept": [{"pipeline": key, **asdict(row)} for key, row in state.kept.items()],
        "tokens": by([asdict(row) for row in state.tokens.values()], "id"),
        "changes": [asdict(row) for row in state.changes],
    }


def by(rows: list[Row], *names: str) -> list[Row]:
    return sorted(rows, key=lambda row: [row[name] for name in names])


class Rows:
    """All that there is, and what follows from a change of it, found by looking at everything."""

    index: int
    command: AnyCommand

    def __init__(self) -> None:
        self.version = 1
        self.now = 0
        self.epoch = 0
        self.nodes: list[Row] = []
        self.pipelines: list[Row] = []
        self.jobs: list[Row] = []
        self.tasks: list[Row] = []
        self.checkpoints: list[Row] = []
        self.kept: list[Row] = []
        self.tokens: list[Row] = []
        self.changes: list[Row] = []

    def picture(self) -> Row:
        return {
            "version": self.version,
            "now": self.now,
            "epoch": self.epoch,
            "nodes": by(self.nodes, "name"),
            "pipelines": by(self.pipelines, "key"),
            "jobs": self.jobs,
            "tasks": by(self.tasks, "key"),
            "checkpoints": by(self.checkpoints, "pipeline", "partition"),
            "kept": self.kept,
            "tokens": by(self.tokens, "id"),
            "changes": self.changes,
        }

    def settle(self) -> None:
        for task in list(self.tasks):
            if task["owner"] is None and task["key"].slot >= 0 and not task["share"]:
                self.tasks.remove(task)
        for job in self.jobs:
            tasks = [task for task in self.tasks if task["key"].job == job["id"]]
            readers = [task for task in tasks if task["key"].slot >= 0]
            discovery = [task for task in tasks if task["key"].slot == -1]
            if job["state"] != "active" or job["partitions"] is None:
                continue
            over = all(task["ended"] for task in readers) if readers else discovery[0]["ended"]
            if over and all(any(p in task["share"] for task in readers) for p in job["partitions"]):
                job["state"], job["ended_ms"] = "done", self.now
        for task in list(self.tasks):
            state = next(job["state"] for job in self.jobs if job["id"] == task["key"].job)
            its = find(self.pipelines, job=task["key"].job)
            may_run = state == "active" and its is not None and its["desired"] == "running"
            has_work = not task["ended"] and (task["key"].slot == -1 or task["share"])
            if not may_run or not has_work or find(self.nodes, name=task["target"]) is None:
                task["target"] = None
            if task["owner"] is None and state != "active":
                self.tasks.remove(task)
        for name in {job["pipeline"] for job in self.jobs}:
            old = [
                job
                for job in self.jobs
                if job["pipeline"] == name
                and job["state"] != "active"
                and not any(task["key"].job == job["id"] for task in self.tasks)
            ]
            keep = 20 if find(self.pipelines, key=name) else 0
            while len(old) > keep:
                self.jobs.remove(old.pop(0))
        for row in list(self.kept):
            is_there = find(self.pipelines, key=row["pipeline"]) is not None
            if is_there or find(self.checkpoints, pipeline=row["pipeline"]) is None:
                self.kept.remove(row)
        del self.changes[:-10_000]

    def changed(self, subject: str, detail: str = "") -> None:
        action = self.command.__struct_config__.tag
        self.changes.append(
            {
                "index": self.index,
                "at_ms": self.now,
                "actor": self.command.actor,
                "action": action,
                "subject": subject,
                "detail": detail,
            }
        )

    def job(self, id_: str | None) -> Row | None:
        return find(self.jobs, id=id_)


def new_task(job: str, slot: int) -> Row:
    return {
        "key": TaskKey(JobId(job), slot),
        "share": (),
        "target": None,
        "owner": None,
        "epoch": 0,
        "held": (),
        "ended": False,
        "moved_ms": 0,
        "started_ms": 0,
    }


def refused(what: str) -> Refused:
    """A refusal of which only the code counts."""
    return Refused(code=f"cluster.{what}", message="")
