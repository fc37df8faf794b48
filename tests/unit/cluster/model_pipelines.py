"""Pipelines and their jobs, in the dumb model."""

from __future__ import annotations

from tests.unit.cluster.model_rows import Row, Rows, find, new_task, refused
from wire.cluster import checkpoints
from wire.cluster import commands as c
from wire.cluster.commands import Answer, Applied, Done, Refused


class Pipelines(Rows):
    def guard(self, command: c.ApplyPipeline | c.RollBack | c.DeletePipeline) -> Refused | None:
        pipeline = find(self.pipelines, key=command.key)
        revision = pipeline["revision"] if pipeline else 0
        if command.if_revision in (None, revision):
            return None
        return refused("pipeline_exists" if command.if_revision == 0 else "revision_changed")

    def applied(self, pipeline: Row, *, created: bool = False, changed: bool = True) -> Answer:
        return Applied(
            revision=pipeline["revision"],
            version=pipeline["current"],
            desired=pipeline["desired"],
            job=pipeline["job"],
            created=created,
            changed=changed,
        )

    def touch(self, pipeline: Row) -> None:
        pipeline["revision"], pipeline["updated_ms"] = self.index, self.now

    def begin(self, pipeline: Row, job: str, fell_back_from: int | None = None) -> None:
        version = find(pipeline["versions"], number=pipeline["current"])
        assert version is not None
        self.jobs.append(
            {
                "id": job,
                "pipeline": pipeline["key"],
                "version": version["number"],
                "generation": pipeline["generation"],
                "state": "active",
                "started_ms": self.now,
                "ended_ms": None,
                "parallelism": version["parallelism"],
                "weight": version["weight"],
                "node_selector": version["node_selector"],
                "keeps_files": pipeline["home"] is not None
                if version["keeps_files"] is None
                else version["keeps_files"],
                "partitions": None,
                "shares_revision": 0,
                "error": None,
                "fell_back_from": fell_back_from,
            }
        )
        self.tasks.append(new_task(job, -1))
        pipeline["job"] = job

    def stop_job(self, pipeline: Row) -> None:
        job = self.job(pipeline["job"])
        if job is not None and job["state"] == "active":
            job["state"], job["ended_ms"] = "ended", self.now
        pipeline["job"] = None

    def apply_pipeline(self, command: c.ApplyPipeline) -> Answer:
        return self.apply(command, keeps_files=False)

    def apply_file_pipeline(self, command: c.ApplyFilePipeline) -> Answer:
        return self.apply(command, keeps_files=True)

    def apply(self, command: c.ApplyPipeline, *, keeps_files: bool) -> Answer:
        placing = {name: getattr(command, name) for name in ("parallelism", "weight", "node_selector")}
        placing["keeps_files"] = keeps_files if self.version >= 4 else None
        return self.guard(command) or self.give(command, command.spec, command.note, placing)

    def roll_back(self, command: c.RollBack) -> Answer:
        if (refusal := self.guard(command)) is not None:
            return refusal
        pipeline = find(self.pipelines, key=command.key)
        if pipeline is None:
            return refused("unknown_pipeline")
        old = find(pipeline["versions"], number=command.to)
        if old is None:
            return refused("unknown_version")
        placing = {name: old[name] for name in ("parallelism", "weight", "node_selector", "keeps_files")}
        return self.give(command, old["spec"], f"as version {command.to}", placing)

    def give(self, command: c.ApplyPipeline | c.RollBack, spec: bytes, note: str, placing: Row) -> Answer:
        pipeline = find(self.pipelines, key=command.key)
        created = pipeline is None
        if pipeline is not None:
            now = find(pipeline["versions"], number=pipeline["current"])
            assert now is not None
            if now["spec"] == spec and not (placing["keeps_files"] and not now["keeps_files"]):
                return self.applied(pipeline, changed=False)
        runs = pipeline is None or pipeline["desired"] == "running"
        if runs and self.job(command.job):
            return refused("duplicate_job")
        if pipeline is None:
            kept = find(self.checkpoints, pipeline=command.key)
            leftover = [job["generation"] for job in self.jobs if job["pipeline"] == command.key]
            generation = 0
            if kept is not None:
                generation = kept["checkpoint"].generation
            elif leftover:
                generation = max(leftover) + 1
            pipeline = {
                "key": command.key,
                "versions": [],
                "current": 0,
                "proven": None,
                "desired": "running",
                "job": None,
                "generation": generation,
                "created_ms": self.now,
                "home": next((row["home"] for row in self.kept if row["pipeline"] == command.key), None),
            }
            self.pipelines.append(pipeline)
        self.stop_job(pipeline)
        number = max((version["number"] for version in pipeline["versions"]), default=0) + 1
        pipeline["versions"].append(
            {
                "number": number,
                "spec": spec,
                "created_ms": self.now,
                "author": command.actor,
                "note": note,
                **placing,
            }
        )
        pipeline["current"] = number
        while len(pipeline["versions"]) > 50:
            oldest = pipeline["versions"][0]
            pipeline["versions"].remove(oldest if oldest["number"] != pipeline["proven"] else pipeline["versions"][1])
        if not command.keeps_positions:
            pipeline["proven"] = None
            self.forget_positions(pipeline)
        self.touch(pipeline)
        if runs:
            self.begin(pipeline, command.job)
        self.changed("/".join(command.key), f"version {number}")
        return self.applied(pipeline, created=created)

    def forget_positions(self, pipeline: Row) -> None:
        pipeline["generation"] += 1
        pipeline["home"] = None
        self.checkpoints = [row for row in self.checkpoints if row["pipeline"] != pipeline["key"]]

    def set_desired(self, command: c.SetDesired) -> Answer:
        pipeline = find(self.pipelines, key=command.key)
        if pipeline is None:
            return refused("unknown_pipeline")
        job = self.job(pipeline["job"])
        begins = command.desired == "running" and (job is None or job["state"] != "active")
        if pipeline["desired"] == command.desired and not begins:
            return self.applied(pipeline, changed=False)
        if begins and self.job(command.job):
            return refused("duplicate_job")
        pipeline["desired"] = command.desired
        self.touch(pipeline)
        if command.desired == "stopped":
            self.stop_job(pipeline)
        if begins:
            self.begin(pipeline, command.job)
        self.changed("/".join(command.key), command.desired)
        return self.applied(pipeline)

    def restart_pipeline(self, command: c.RestartPipeline) -> Answer:
        pipeline = find(self.pipelines, key=command.key)
        if pipeline is None:
            return refused("unknown_pipeline")
        if self.job(command.job):
            return refused("duplicate_job")
        self.stop_job(pipeline)
        pipeline["desired"] = "running"
        self.touch(pipeline)
        self.begin(pipeline, command.job)
        self.changed("/".join(command.key))
        return self.applied(pipeline)

    def delete_pipeline(self, command: c.DeletePipeline) -> Answer:
        if (refusal := self.guard(command)) is not None:
            return refusal
        pipeline = find(self.pipelines, key=command.key)
        if pipeline is None:
            return refused("unknown_pipeline")
        self.stop_job(pipeline)
        self.pipelines.remove(pipeline)
        if not command.keep_checkpoints:
            self.forget_positions(pipeline)
        self.changed("/".join(command.key), self.keep(command, pipeline["home"]) if command.keep_checkpoints else "")
        return Done()

    def keep(self, command: c.DeletePipeline, home: str | None) -> str:
        said = "its checkpoints are kept"
        if self.version < 3 or find(self.checkpoints, pipeline=command.key) is None:
            return said
        self.kept.append({"pipeline": command.key, "deleted_ms": self.now, "deleted_by": command.actor, "home": home})
        while len(self.kept) > checkpoints.MAX_KEPT:
            oldest = self.kept.pop(0)["pipeline"]
            self.checkpoints = [row for row in self.checkpoints if row["pipeline"] != oldest]
            said += f"; those of {'/'.join(oldest)} no longer"
        return said

    def forget_checkpoints(self, command: c.ForgetCheckpoints) -> Answer:
        if find(self.pipelines, key=command.key):
            return refused("pipeline_exists")
        if find(self.checkpoints, pipeline=command.key) is None:
            return refused("unknown_pipeline")
        self.checkpoints = [row for row in self.checkpoints if row["pipeline"] != command.key]
        self.changed("/".join(command.key))
        return Done()

    def reset_positions(self, command: c.ResetPositions) -> Answer:
        pipeline = find(self.pipelines, key=command.key)
        if pipeline is None:
            return refused("unknown_pipeline")
        if pipeline["desired"] != "stopped":
            return refused("pipeline_not_stopped")
        self.forget_positions(pipeline)
        self.touch(pipeline)
        self.changed("/".join(command.key), f"generation {pipeline['generation']}")
        return self.applied(pipeline)

    def prove(self, command: c.Prove) -> Answer:
        job, pipeline = self.job(command.job), find(self.pipelines, job=command.job)
        if job is not None and pipeline is not None and job["state"] == "active":
            pipeline["proven"] = job["version"]
        return Done()
