"""A dumb model of what the cluster makes of the scheduler's commands, and of what nodes do about their tasks."""

from __future__ import annotations

from itertools import count
from typing import assert_never

from msgspec.structs import replace

from wire.cluster.commands import AssignTasks, DealShares, Prove, RevokeNode
from wire.cluster.state import DISCOVERY, JobId, NodeName, State, Task, TaskKey


def carry_out(state: State, command: RevokeNode | DealShares | AssignTasks | Prove) -> None:
    match command:
        case RevokeNode(node=node, last_epoch=last_epoch):
            for task in list(state.tasks.values()):
                if task.owner == node and task.epoch <= last_epoch:
                    let_go(state, task)
        case DealShares():
            deal_shares(state, command)
        case AssignTasks(moves=moves, at_ms=at_ms):
            for key, node in moves:
                if key in state.tasks and node in state.nodes:
                    state.tasks[key] = replace(state.tasks[key], target=node, moved_ms=at_ms)
        case Prove(job=job):
            pipeline = state.pipeline_of(job)
            if pipeline is not None:
                state.pipelines[pipeline.key] = replace(pipeline, proven=state.jobs[job].version)
        case _:
            assert_never(command)


def deal_shares(state: State, command: DealShares) -> None:
    job = state.jobs[command.job]
    if job.shares_revision != command.if_shares_revision:
        return
    state.jobs[job.id] = replace(job, shares_revision=job.shares_revision + 1)
    for slot, share in enumerate(command.shares):
        key = TaskKey(job.id, slot)
        task = state.tasks.get(key, Task(key=key))
        state.tasks[key] = task if task.share == share else replace(task, share=share, ended=False)
    slots = count(len(command.shares))
    while (gone := state.tasks.get(TaskKey(job.id, next(slots)))) is not None:
        state.tasks[gone.key] = replace(gone, share=())
        if gone.owner is None:
            del state.tasks[gone.key]


def let_go(state: State, task: Task) -> None:
    """The owner does not run it any more. What nobody is to run is forgotten."""
    if task.key.slot == DISCOVERY or task.share:
        state.tasks[task.key] = replace(task, owner=None, held=())
    else:
        del state.tasks[task.key]


def is_wanted(state: State, job: JobId) -> bool:
    pipeline = state.pipeline_of(job)
    if pipeline is None or pipeline.job != job or pipeline.desired != "running":
        return False
    return state.jobs[job].state == "active"


def hand_over(state: State, node: NodeName) -> None:
    """A node stops what it should not run any more, or not with the partitions it has."""
    for task in [task for task in state.tasks.values() if task.owner == node]:
        if task.target != node or task.held != task.share or not is_wanted(state, task.key.job):
            let_go(state, task)


def start(state: State, node: NodeName, at_ms: int) -> None:
    """A node starts what it is to run, nobody else owns, and reads what nobody else holds."""
    mine = [task for task in state.tasks.values() if task.target == node and task.owner is None and not task.ended]
    held = {(task.key.job, each) for task in state.tasks.values() for each in task.held}
    for task in mine:
        if is_wanted(state, task.key.job) and not any((task.key.job, each) in held for each in task.share):
            state.last_epoch += 1
            state.tasks[task.key] = replace(task, owner=node, epoch=state.last_epoch, held=task.share, started_ms=at_ms)
