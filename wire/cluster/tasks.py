"""Tasks: from what discovery finds to their end. Each step of a hand-over is one command.

What has no target is not started: a task of a job that is not active or of a pipeline that is not to run, one that has
ended, and one without a share are never given a target, and lose theirs when they become so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from msgspec.structs import replace

from wire.cluster import checkpoints, jobs, trail
from wire.cluster.commands import (
    AssignTasks,
    DealShares,
    Done,
    EndTasks,
    FailTask,
    Refused,
    ReleaseTasks,
    ReportPartitions,
    RevokeNode,
    Started,
    StartTasks,
)
from wire.cluster.state import DISCOVERY, HOMES, STARTS_KEPT, Job, JobId, NodeName, State, Task, TaskKey
from wire.core.records import PartitionKey

TOO_MANY_PARTITIONS: Final = "cluster.too_many_partitions"
MAX_NAMES_BYTES: Final = 8 << 20
"""Of all partitions of a job: a command with them is half of what a node can pass on to the leader."""


def running(state: State, key: TaskKey, epoch: int) -> Task | None:
    """Return a task if this is the epoch that runs (I4): one that was released or revoked is burnt."""
    task = state.tasks.get(key)
    return task if task is not None and task.owner is not None and task.epoch == epoch else None


# what there is to read


def report(state: State, command: ReportPartitions) -> Done | Refused:
    """Take over which partitions there are."""
    job = jobs.active(state, command.job)
    if job is None or running(state, TaskKey(job.id, DISCOVERY), command.epoch) is None:
        return Done()
    refusal = too_many(command.partitions)
    if refusal is not None and state.bounded:
        return refusal
    there = tuple(sorted(set(command.partitions)))
    state.jobs[job.id] = replace(job, partitions=there)
    checkpoints.prune(state, job.pipeline, there)
    _finish_if_done(state, job.id)
    return Done()


def too_many(partitions: Collection[PartitionKey]) -> Refused | None:
    """Return why a job may not have these partitions: all are in one command, and a row of the state is left of each.

    None where it may.
    """
    if len(partitions) > checkpoints.MAX_PARTITIONS:
        problem = f"there are {len(partitions)} partitions, and {checkpoints.MAX_PARTITIONS} are allowed"
    elif (size := sum(len(name.encode()) for key in partitions for name in key)) > MAX_NAMES_BYTES:
        problem = f"the names of {len(partitions)} partitions have {size} bytes, and {MAX_NAMES_BYTES} are allowed"
    else:
        return None
    return Refused(
        code=TOO_MANY_PARTITIONS,
        message=problem,
        hint="narrow what the sources read, as by another `path`, or divide it among several pipelines",
    )


def deal(state: State, command: DealShares) -> Done | Refused:
    """Give each slot its share, if that is a division of what was reported last."""
    job = jobs.active(state, command.job)
    if job is None:
        return Refused(code="cluster.job_not_active", message=f"there is no active job {command.job}")
    dealt = sorted(partition for share in command.shares for partition in share)
    if command.if_shares_revision != job.shares_revision or tuple(dealt) != job.partitions:
        return Refused(
            code="cluster.shares_changed",
            message=f"the partitions of job {command.job} are not as they were when their shares were computed",
        )
    last = max(task.key.slot for task in state.tasks.of(job.id))  # there is its discovery at least
    for slot in range(max(len(command.shares), last + 1)):
        _deal(state, TaskKey(job.id, slot), command.shares[slot] if slot < len(command.shares) else ())
    state.jobs[job.id] = replace(job, shares_revision=job.shares_revision + 1)
    _finish_if_done(state, job.id)
    return Done()


def _deal(state: State, key: TaskKey, share: tuple[PartitionKey, ...]) -> None:
    task = state.tasks.get(key, Task(key=key))
    if share:
        ended = task.ended and set(share) <= set(task.share)
        state.tasks[key] = replace(task, share=share, ended=ended)
    elif task.owner is not None:
        state.tasks[key] = replace(task, share=(), target=None)
    else:
        state.tasks.pop(key, None)


# where it runs


def assign(state: State, command: AssignTasks) -> Done:
    """Give tasks their targets."""
    for key, name in command.moves:
        task, node = state.tasks.get(key), state.nodes.get(name)
        if task is None or node is None or node.draining or task.target == name or not _is_to_run(state, task):
            continue
        if _is_bound_elsewhere(state, key, name):
            continue
        state.tasks[key] = replace(task, target=name, moved_ms=state.now_ms)
    return Done()


def _is_to_run(state: State, task: Task) -> bool:
    job = jobs.active(state, task.key.job)
    if job is None or task.ended or not (task.share or task.key.slot == DISCOVERY):
        return False
    return state.pipelines[job.pipeline].desired == "running"


def start(state: State, command: StartTasks) -> Started:
    """Begin what may begin, each under the next epoch of the cluster (I4)."""
    node = state.nodes.get(command.node)
    if node is None or node.incarnation != command.incarnation:
        return Started((None,) * len(command.tasks))
    return Started(tuple(_start(state, command.node, key) for key in command.tasks))


def _start(state: State, node: NodeName, key: TaskKey) -> int | None:
    task = state.tasks.get(key)
    if task is None or task.target != node or task.owner not in (None, node) or _is_held(state, task):
        return None
    if _is_bound_elsewhere(state, key, node):
        return None
    state.last_epoch += 1
    started_ms = state.now_ms if state.command_version >= STARTS_KEPT else 0
    state.tasks[key] = replace(task, owner=node, epoch=state.last_epoch, held=task.share, started_ms=started_ms)
    return state.last_epoch


def settle_down(state: State, task: Task) -> None:
    """Remember where a pipeline has committed files that only that node has."""
    job = state.jobs[task.key.job]
    pipeline = state.pipelines[job.pipeline]
    if job.keeps_files and pipeline.home is None and state.command_version >= HOMES and task.owner is not None:
        owner = state.nodes.get(task.owner)
        if owner is not None and not owner.leaving:
            state.pipelines[pipeline.key] = replace(pipeline, home=task.owner)


def _is_bound_elsewhere(state: State, key: TaskKey, node: NodeName) -> bool:
    """Whether the files that a task writes are on another node."""
    job = state.jobs[key.job]
    pipeline = state.pipelines.get(job.pipeline)
    if not job.keeps_files or key.slot == DISCOVERY or pipeline is None:
        return False
    return pipeline.home not in (None, node)


def _is_held(state: State, task: Task) -> bool:
    """Whether another task of the pipeline, perhaps of a job that has ended, still reads some of the share."""
    siblings = [job.id for job in state.jobs.of(state.jobs[task.key.job].pipeline) if state.tasks.any_of(job.id)]
    return any(
        state.tasks.holder(job, partition) not in (None, task.key) for job in siblings for partition in task.share
    )


# how it stops


def release(state: State, command: ReleaseTasks) -> Done:
    """Let others have what a node has given up."""
    _let_go(state, _running(state, command.tasks))
    return Done()


def revoke(state: State, command: RevokeNode) -> Done:
    """Take away what a node owned when its lease was over; not what it has started since."""
    _let_go(state, [task for task in state.tasks.owned_by(command.node) if task.epoch <= command.last_epoch])
    return Done()


def revoke_all(state: State, node: NodeName) -> None:
    """Take away all that a node owns."""
    _let_go(state, state.tasks.owned_by(node))


def clear_targets(state: State, node: NodeName) -> None:
    """Let nothing be meant for a node any more."""
    for task in state.tasks.meant_for(node):
        state.tasks[task.key] = replace(task, target=None)


def hold(state: State, job: JobId) -> None:
    """Let a job's tasks run nowhere until they are assigned again."""
    for task in state.tasks.of(job):
        state.tasks[task.key] = replace(task, target=None)


def end(state: State, command: EndTasks) -> Done:
    """Let tasks rest for good, and finish the jobs that have come to their end with them."""
    _let_go(state, [_ended(task) for task in _running(state, command.tasks)])
    return Done()


def _ended(task: Task) -> Task:
    """Return the task as one that rests, unless it was dealt more since it was started: that is still to be read."""
    return replace(task, ended=True, target=None) if set(task.share) <= set(task.held) else task


def fail(state: State, index: int, command: FailTask) -> Done:
    """Let the job fail, and go back to an older version if there is one to go back to."""
    task = running(state, command.key, command.epoch)
    if task is None:
        return Done()
    _let_go(state, [task])
    job = jobs.active(state, command.key.job)
    if job is None:
        return Done()
    older = jobs.fallback(state, job)
    jobs.finish(state, replace(job, state="failed", error=command.error))
    if older is not None and command.fallback not in state.jobs:
        pipeline = state.pipelines[job.pipeline]
        state.pipelines[job.pipeline] = replace(pipeline, revision=index, current=older, updated_ms=state.now_ms)
        jobs.begin(state, job.pipeline, command.fallback, fell_back_from=job.version)
        detail = f"version {job.version} failed: {command.error.code}; back to version {older}"
        trail.record(state, index, command, "/".join(job.pipeline), detail)
    return Done()


def _running(state: State, wanted: Iterable[tuple[TaskKey, int]]) -> list[Task]:
    found = (running(state, key, epoch) for key, epoch in dict.fromkeys(wanted))
    return [task for task in found if task is not None]


def _let_go(state: State, tasks: Iterable[Task]) -> None:
    """Nobody owns these any more, which is the end of those that are not needed, and may be that of their jobs."""
    touched: dict[JobId, Job] = {}
    for task in tasks:
        job = touched.setdefault(task.key.job, state.jobs[task.key.job])
        if job.state == "active" and (task.share or task.key.slot == DISCOVERY):
            state.tasks[task.key] = replace(task, owner=None, held=())
        else:
            del state.tasks[task.key]
    for job in touched.values():
        _finish_if_done(state, job.id)
        jobs.forget_old(state, job.pipeline)


def _finish_if_done(state: State, id_: JobId) -> None:
    """Let a job be done once all that was reported was read; if that is nothing, once discovery has ended."""
    job = jobs.active(state, id_)
    if job is None or job.partitions is None:
        return
    found = state.tasks.of(id_)
    readers = [task for task in found if task.key.slot != DISCOVERY]
    if not all(task.ended for task in readers or found):
        return
    read = {partition for task in readers for partition in task.share}
    if read.issuperset(job.partitions):
        jobs.finish(state, replace(job, state="done"))
