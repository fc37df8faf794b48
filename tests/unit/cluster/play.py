"""Commands at random, most of them such as make sense in the state there is; and what must hold in any state."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from wire.cluster import commands as c
from wire.cluster.commands import AnyCommand, TaskCheckpoints
from wire.cluster.encoding import NEWEST
from wire.cluster.state import (
    DISCOVERY,
    Desired,
    Error,
    JobId,
    NodeName,
    Pipeline,
    PipelineKey,
    PipelineVersion,
    State,
    StoredCheckpoint,
    Task,
    TaskKey,
)
from wire.core.records import Checkpoint, Fingerprint, PartitionId, PartitionKey, Position

T = TypeVar("T")

NODES = [NodeName(name) for name in ("a", "b", "c")]
KEYS = [PipelineKey("default", name) for name in ("p", "q", "r")]
PARTITIONS = [PartitionKey(source, PartitionId(f"t/{n}")) for source in ("s1", "s2") for n in range(5)]


class Play:
    """Chooses one command after the other."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.at_ms = 1000

    def next(self, state: State) -> AnyCommand:
        self.at_ms += self.random.randrange(-5, 20)
        if self.random.randrange(2):
            return self.next_step(state)
        kinds = [kind for kind, weight in _KINDS.items() for _ in range(weight)]
        return self.random.choice(kinds)(self, state)

    def next_step(self, state: State) -> AnyCommand:
        """What would bring a job further: by chance alone few come to commit something."""
        active = [job for job in state.jobs.values() if job.state == "active"]
        if len(state.nodes) < 2:
            return self.register(state)
        if not active or state.pipelines[active[0].pipeline].desired != "running":
            return self.choose(self.apply, self.desire)(state)
        if state.command_version < NEWEST and self.rarely():
            return self.enable(state)
        job = self.random.choice(active)
        idle = [task for task in state.tasks_of(job.id) if task.target is None and not task.ended]
        waiting = [task for task in state.tasks_of(job.id) if task.target not in (None, task.owner)]
        if idle:
            moves = tuple((task.key, self.random.choice(sorted(state.nodes))) for task in idle)
            return c.AssignTasks(at_ms=self.at_ms, moves=moves)
        if waiting and waiting[0].owner is not None:
            return c.ReleaseTasks(at_ms=self.at_ms, tasks=((waiting[0].key, waiting[0].epoch),))
        if waiting and waiting[0].target is not None:
            node = state.nodes[waiting[0].target]
            tasks = tuple(task.key for task in waiting)
            return c.StartTasks(at_ms=self.at_ms, node=node.name, incarnation=node.incarnation, tasks=tasks)
        if job.partitions is None:
            return self.report(state)
        changed = [task for task in state.tasks_of(job.id) if task.owner is not None and task.held != task.share]
        if changed:
            return c.ReleaseTasks(at_ms=self.at_ms, tasks=((changed[0].key, changed[0].epoch),))
        shares = {partition for task in state.tasks_of(job.id) for partition in task.share}
        if job.shares_revision == 0 or shares != set(job.partitions):
            return self.deal(state)
        return self.choose(self.commit, self.commit, self.report)(state)

    def choose(self, *options: T) -> T:
        return self.random.choice(options)

    def rarely(self) -> bool:
        return self.random.randrange(10) == 0

    # what is meant, mostly something that is there

    def key(self) -> PipelineKey:
        return self.random.choice(KEYS)

    def new_job(self) -> JobId:
        return JobId(f"j{self.random.randrange(60)}")

    def job(self, state: State) -> JobId:
        jobs = [job.id for job in state.jobs.values() if job.state == "active"]
        return self.new_job() if self.rarely() or not jobs else self.random.choice(jobs)

    def task(self, state: State, wanted: Callable[[Task], bool]) -> Task:
        tasks = sorted((task for task in state.tasks.values() if wanted(task)), key=lambda task: task.key)
        if self.rarely() or not tasks:
            return Task(key=TaskKey(self.job(state), self.random.randrange(-1, 3)), epoch=self.random.randrange(5))
        return self.random.choice(tasks)

    def running(self, state: State) -> tuple[TaskKey, int]:
        task = self.task(state, lambda task: task.owner is not None)
        return task.key, task.epoch - self.rarely()

    def revision(self, state: State, key: PipelineKey) -> int | None:
        pipeline = state.pipelines.get(key)
        return self.choose(None, None, None, pipeline.revision if pipeline is not None else 0, 0, 3)

    # nodes

    def register(self, _: State) -> AnyCommand:
        return c.RegisterNode(
            at_ms=self.at_ms,
            name=self.random.choice(NODES),
            incarnation=self.choose("i", "i", "i", "j"),
            address=self.choose("h:1", "h:2"),
            workers=2,
            labels=self.choose({}, {"zone": "a"}),
            newest_command=self.choose(1, 2, 3, 4, 4, 4, 4),
        )

    def drain(self, _: State) -> AnyCommand:
        return c.DrainNode(
            at_ms=self.at_ms, actor="o", name=self.random.choice(NODES), draining=self.choose(True, False, False)
        )

    def leave(self, _: State) -> AnyCommand:
        return c.LeaveNode(at_ms=self.at_ms, actor="o", name=self.random.choice(NODES))

    def remove(self, _: State) -> AnyCommand:
        return c.RemoveNode(at_ms=self.at_ms, actor="o", name=self.random.choice(NODES))

    def enable(self, _: State) -> AnyCommand:
        return c.EnableCommands(at_ms=self.at_ms, version=self.choose(1, 2, 3, 4, 4))

    # pipelines

    def apply(self, state: State) -> AnyCommand:
        key = self.key()
        kind = self.choose(c.ApplyPipeline, c.ApplyFilePipeline) if state.command_version >= 4 else c.ApplyPipeline
        return kind(
            at_ms=self.at_ms,
            actor="u",
            key=key,
            spec=b"%d" % self.random.randrange(4),
            job=self.new_job(),
            if_revision=self.revision(state, key),
            keeps_positions=not self.rarely(),
            parallelism=self.choose(None, 2),
            weight=self.choose(1, 3),
            node_selector=self.choose({}, {"zone": "a"}),
            note=self.choose("", "n"),
        )

    def roll_back(self, state: State) -> AnyCommand:
        key = self.key()
        return c.RollBack(
            at_ms=self.at_ms,
            actor="u",
            key=key,
            to=self.random.randrange(5),
            job=self.new_job(),
            if_revision=self.revision(state, key),
            keeps_positions=not self.rarely(),
        )

    def desire(self, _: State) -> AnyCommand:
        desired: Desired = self.random.choice(("running", "running", "paused", "stopped"))
        return c.SetDesired(at_ms=self.at_ms, actor="u", key=self.key(), desired=desired, job=self.new_job())

    def restart(self, _: State) -> AnyCommand:
        return c.RestartPipeline(at_ms=self.at_ms, actor="u", key=self.key(), job=self.new_job())

    def delete(self, state: State) -> AnyCommand:
        key = self.key()
        return c.DeletePipeline(
            at_ms=self.at_ms,
            actor="u",
            key=key,
            if_revision=self.revision(state, key),
            keep_checkpoints=self.choose(True, False),
        )

    def reset(self, _: State) -> AnyCommand:
        return c.ResetPositions(at_ms=self.at_ms, actor="u", key=self.key())

    def forget(self, _: State) -> AnyCommand:
        return c.ForgetCheckpoints(at_ms=self.at_ms, actor="u", key=self.key())

    def put_back(self, state: State) -> AnyCommand:
        """Mostly of pipelines that are there, which is refused."""
        if self.choose(True, False):
            rows = tuple((partition, self.stored()) for partition in self.random.sample(PARTITIONS, 2))
            return c.RestoreCheckpoints(
                at_ms=self.at_ms, actor="o", key=self.key(), rows=rows, anew=self.choose(True, False)
            )
        pipelines = tuple(self.pipeline(key) for key in self.random.sample(KEYS, self.choose(1, 2)))
        jobs = tuple(JobId(f"r{n}-{self.random.randrange(10**6)}") for n, _ in enumerate(pipelines))
        return c.RestorePipelines(
            at_ms=self.at_ms, actor="o", pipelines=pipelines, jobs=jobs, last_epoch=state.last_epoch + 1
        )

    def stored(self) -> StoredCheckpoint:
        checkpoint = Checkpoint(
            generation=self.choose(0, 0, 1), seq=1, position=Position(b"r"), source=Fingerprint(b"f")
        )
        return StoredCheckpoint(self.random.randrange(5), checkpoint)

    def pipeline(self, key: PipelineKey) -> Pipeline:
        versions = tuple(
            PipelineVersion(number=n, spec=b"%d" % n, created_ms=1, author="u") for n in (3, 4)[: self.choose(1, 2)]
        )
        return Pipeline(
            key=key,
            revision=1,
            versions=versions,
            current=self.choose(3, 3, 3, 4),
            proven=None,
            desired=self.choose("running", "paused", "stopped"),
            job=None,
            generation=self.choose(0, 0, 1),
            created_ms=1,
            updated_ms=1,
        )

    def prove(self, state: State) -> AnyCommand:
        return c.Prove(at_ms=self.at_ms, job=self.job(state))

    # tasks

    def report(self, state: State) -> AnyCommand:
        discovery = self.task(state, lambda task: task.key.slot == DISCOVERY and task.owner is not None)
        partitions = self.random.sample(PARTITIONS, self.choose(0, 2, 3, 4, 4, 6)) * self.choose(1, 1, 2)
        return c.ReportPartitions(
            at_ms=self.at_ms, job=discovery.key.job, epoch=discovery.epoch, partitions=tuple(partitions)
        )

    def deal(self, state: State) -> AnyCommand:
        known = [job for job in state.jobs.values() if job.state == "active" and job.partitions]
        job = state.jobs.get(self.random.choice(known).id if known else self.new_job())
        shares: list[list[PartitionKey]] = [[] for _ in range(self.random.randrange(1, 4))]
        for partition in job.partitions or () if job is not None and not self.rarely() else PARTITIONS:
            self.random.choice(shares).append(partition)
        return c.DealShares(
            at_ms=self.at_ms,
            job=job.id if job is not None else self.new_job(),
            if_shares_revision=job.shares_revision - self.rarely() if job is not None else 0,
            shares=tuple(map(tuple, shares)),
        )

    def assign(self, state: State) -> AnyCommand:
        moves = [
            (self.task(state, lambda task: task.target is None or self.rarely()).key, self.random.choice(NODES))
            for _ in range(self.random.randrange(4))
        ]
        return c.AssignTasks(at_ms=self.at_ms, moves=tuple(moves))

    def start(self, state: State) -> AnyCommand:
        chosen = self.task(state, lambda task: task.target is not None and task.target != task.owner)
        name = chosen.target if chosen.target is not None else self.random.choice(NODES)
        node = state.nodes.get(name)
        tasks = [self.task(state, lambda task: task.target == name).key for _ in range(self.random.randrange(3))]
        tasks.append(chosen.key)
        incarnation = node.incarnation if node is not None and not self.rarely() else "j"
        return c.StartTasks(at_ms=self.at_ms, node=name, incarnation=incarnation, tasks=tuple(tasks))

    def release(self, state: State) -> AnyCommand:
        tasks = tuple(self.running(state) for _ in range(self.random.randrange(1, 3)))
        return c.ReleaseTasks(at_ms=self.at_ms, tasks=tasks)

    def revoke(self, state: State) -> AnyCommand:
        last = max(state.last_epoch - self.random.randrange(3), 0)
        return c.RevokeNode(at_ms=self.at_ms, node=self.random.choice(NODES), last_epoch=last)

    def end(self, state: State) -> AnyCommand:
        tasks = tuple(self.running(state) for _ in range(self.random.randrange(1, 4)))
        return c.EndTasks(at_ms=self.at_ms, tasks=tasks)

    def fail(self, state: State) -> AnyCommand:
        key, epoch = self.running(state)
        error = Error("sink.file.exists", "no")
        return c.FailTask(at_ms=self.at_ms, key=key, epoch=epoch, error=error, fallback=self.new_job())

    def commit(self, state: State) -> AnyCommand:
        tasks = tuple(self._commit(state) for _ in range(self.random.randrange(1, 3)))
        return c.CommitCheckpoints(at_ms=self.at_ms, tasks=tasks)

    def _commit(self, state: State) -> TaskCheckpoints:
        task = self.task(state, lambda task: bool(task.held))
        pipeline = state.pipeline_of(task.key.job)
        stored = state.checkpoints.get(pipeline.key, {}) if pipeline is not None else {}
        wanted = self.random.choices(PARTITIONS, k=2) if self.rarely() else task.held
        new = []
        for partition in wanted:
            last = stored.get(partition)
            checkpoint = Checkpoint(
                generation=(pipeline.generation if pipeline is not None else 0) + self.choose(*[0] * 10, -1, 1),
                seq=(last.checkpoint.seq if last is not None else 0) + self.choose(*[1] * 10, 2, 0, -1),
                position=Position(b"%d" % self.at_ms),
                source=Fingerprint(b"f"),
            )
            new.append((partition, checkpoint))
        return TaskCheckpoints(task.key, task.epoch - self.rarely(), tuple(new))

    # tokens

    def create_token(self, _: State) -> AnyCommand:
        return c.CreateToken(
            at_ms=self.at_ms,
            actor="o",
            id=self.choose("t", "u"),
            salt=b"s",
            digest=b"d",
            expires_ms=self.at_ms + self.random.randrange(2000),
            uses=self.choose(None, 1, 2),
        )

    def use_token(self, _: State) -> AnyCommand:
        return c.UseToken(at_ms=self.at_ms, id=self.choose("t", "u"))

    def revoke_token(self, _: State) -> AnyCommand:
        return c.RevokeToken(at_ms=self.at_ms, id=self.choose("t", "u"))


_KINDS: dict[Callable[[Play, State], AnyCommand], int] = {
    Play.register: 4,
    Play.drain: 1,
    Play.leave: 1,
    Play.remove: 1,
    Play.enable: 1,
    Play.apply: 3,
    Play.roll_back: 1,
    Play.desire: 3,
    Play.restart: 1,
    Play.delete: 3,
    Play.reset: 1,
    Play.forget: 1,
    Play.put_back: 2,
    Play.prove: 2,
    Play.report: 12,
    Play.deal: 12,
    Play.assign: 30,
    Play.start: 30,
    Play.release: 6,
    Play.revoke: 2,
    Play.end: 4,
    Play.fail: 2,
    Play.commit: 30,
    Play.create_token: 2,
    Play.use_token: 2,
    Play.revoke_token: 1,
}
