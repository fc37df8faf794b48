"""A cluster's state, and commands in a few words."""

from __future__ import annotations

from typing import TypeVar

from wire.cluster import commands as c
from wire.cluster.apply import apply
from wire.cluster.commands import Answer, AnyCommand, Applied, Committed, Refused, Started, TaskCheckpoints
from wire.cluster.state import (
    DISCOVERY,
    Desired,
    Error,
    Job,
    JobId,
    NodeName,
    Pipeline,
    PipelineKey,
    State,
    StoredCheckpoint,
    Task,
    TaskKey,
)
from wire.core.records import Checkpoint, Fingerprint, PartitionId, PartitionKey, Position

A = TypeVar("A")

P = PipelineKey("default", "p")
ERROR = Error("sink.file.exists", "there is a file in the way")


def part(name: str) -> PartitionKey:
    return PartitionKey("source", PartitionId(name))


def parts(names: str) -> tuple[PartitionKey, ...]:
    """One partition for each letter."""
    return tuple(map(part, names))


def checkpoint(seq: int, generation: int = 0) -> Checkpoint:
    return Checkpoint(generation=generation, seq=seq, position=Position(b"%d" % seq), source=Fingerprint(b"f"))


class World:
    def __init__(self) -> None:
        self.state = State()
        self.index = 0
        self.at_ms = 1000

    def do(self, command: AnyCommand) -> Answer:
        self.index += 1
        self.at_ms += 1
        return apply(self.state, self.index, command)

    def the(self, kind: type[A], command: AnyCommand) -> A:
        answer = self.do(command)
        assert isinstance(answer, kind), answer
        return answer

    def refusal(self, command: AnyCommand) -> str:
        """Return the code of a refusal, and see that it has words, too."""
        refused = self.the(Refused, command)
        assert refused.message
        return refused.code

    # what there is

    def pipeline(self, key: PipelineKey = P) -> Pipeline:
        return self.state.pipelines[key]

    def job(self, id_: str) -> Job:
        return self.state.jobs[JobId(id_)]

    def task(self, job: str, slot: int = 0) -> Task:
        return self.state.tasks[TaskKey(JobId(job), slot)]

    def has_task(self, job: str, slot: int = 0) -> bool:
        return TaskKey(JobId(job), slot) in self.state.tasks

    def stored(self, name: str, key: PipelineKey = P) -> StoredCheckpoint | None:
        return self.state.checkpoints.get(key, {}).get(part(name))

    # commands

    def node(self, name: str, incarnation: str = "i", newest: int = 1, labels: dict[str, str] | None = None) -> Answer:
        return self.do(
            c.RegisterNode(
                at_ms=self.at_ms,
                name=NodeName(name),
                incarnation=incarnation,
                address=f"{name}:1",
                workers=2,
                release="1.0",
                newest_command=newest,
                labels=labels or {},
            )
        )

    def applying(self, spec: str, job: str, key: PipelineKey = P, **more: object) -> c.ApplyPipeline:
        return c.ApplyPipeline(
            at_ms=self.at_ms,
            actor="ada",
            key=key,
            spec=spec.encode(),
            job=JobId(job),
            **more,  # type: ignore[arg-type]
        )

    def apply(self, spec: str, job: str, key: PipelineKey = P, **more: object) -> Applied:
        return self.the(Applied, self.applying(spec, job, key, **more))

    def desiring(self, desired: Desired, job: str = "unused", key: PipelineKey = P) -> c.SetDesired:
        return c.SetDesired(at_ms=self.at_ms, actor="ada", key=key, desired=desired, job=JobId(job))

    def desire(self, desired: Desired, job: str = "unused", key: PipelineKey = P) -> Applied:
        return self.the(Applied, self.desiring(desired, job, key))

    def reset(self) -> Applied:
        return self.the(Applied, c.ResetPositions(at_ms=self.at_ms, actor="ada", key=P))

    def delete(self, *, keep: bool = False) -> Answer:
        return self.do(c.DeletePipeline(at_ms=self.at_ms, actor="ada", key=P, keep_checkpoints=keep))

    def assign(self, job: str, slot: int, node: str) -> None:
        self.do(c.AssignTasks(at_ms=self.at_ms, moves=((TaskKey(JobId(job), slot), NodeName(node)),)))

    def start(self, job: str, slot: int, node: str, incarnation: str = "i") -> int | None:
        tasks = (TaskKey(JobId(job), slot),)
        command = c.StartTasks(at_ms=self.at_ms, node=NodeName(node), incarnation=incarnation, tasks=tasks)
        (epoch,) = self.the(Started, command).epochs
        return epoch

    def run(self, job: str, slot: int, node: str) -> int:
        """Assign and start."""
        self.assign(job, slot, node)
        epoch = self.start(job, slot, node)
        assert epoch is not None
        return epoch

    def report(self, job: str, names: str, epoch: int | None = None) -> None:
        if epoch is None:
            epoch = self.task(job, DISCOVERY).epoch
        self.do(c.ReportPartitions(at_ms=self.at_ms, job=JobId(job), epoch=epoch, partitions=parts(names)))

    def dealing(self, job: str, *shares: str, revision: int | None = None) -> c.DealShares:
        if revision is None:
            revision = self.job(job).shares_revision
        return c.DealShares(
            at_ms=self.at_ms, job=JobId(job), if_shares_revision=revision, shares=tuple(map(parts, shares))
        )

    def deal(self, job: str, *shares: str) -> None:
        self.the(c.Done, self.dealing(job, *shares))

    def spread(self, job: str, *shares: str, node: str = "a") -> None:
        """Let discovery run on a node, find what is in the shares, and have it dealt so."""
        self.node(node)
        self.run(job, DISCOVERY, node)
        self.report(job, "".join(shares))
        self.deal(job, *shares)

    def release(self, job: str, slot: int, epoch: int) -> None:
        self.do(c.ReleaseTasks(at_ms=self.at_ms, tasks=((TaskKey(JobId(job), slot), epoch),)))

    def end(self, job: str, slot: int, epoch: int) -> None:
        self.do(c.EndTasks(at_ms=self.at_ms, tasks=((TaskKey(JobId(job), slot), epoch),)))

    def fail(self, job: str, slot: int, epoch: int, fallback: str = "fallback") -> None:
        key = TaskKey(JobId(job), slot)
        self.do(c.FailTask(at_ms=self.at_ms, key=key, epoch=epoch, error=ERROR, fallback=JobId(fallback)))

    def revoke(self, node: str, last_epoch: int) -> None:
        self.do(c.RevokeNode(at_ms=self.at_ms, node=NodeName(node), last_epoch=last_epoch))

    def prove(self, job: str) -> None:
        self.do(c.Prove(at_ms=self.at_ms, job=JobId(job)))

    def commit(self, job: str, slot: int, epoch: int, *new: tuple[str, Checkpoint]) -> str | None:
        theirs = TaskCheckpoints(TaskKey(JobId(job), slot), epoch, tuple((part(name), each) for name, each in new))
        (refusal,) = self.the(Committed, c.CommitCheckpoints(at_ms=self.at_ms, tasks=(theirs,))).refusals
        return refusal
