"""What a node is to do next: what the state wants of it, compared with what it runs. Pure.

A task is this node's to run while the state names the node as its `target`; it runs under the epoch that the state
gave the node as its `owner`. Everything else that runs here is ended, and what the state takes to run here but does
not is begun anew, under a new epoch, or given up (I4).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from wire.cluster.commands import (
    Answer,
    AnyCommand,
    CommitCheckpoints,
    CreateToken,
    Prove,
    Refused,
    RevokeToken,
    Started,
    StartTasks,
    UseToken,
)
from wire.cluster.state import DISCOVERY, NodeName, State, Task, TaskKey
from wire.core.ports import Lineage
from wire.worker.protocol import Begin, Run

_OF_NO_CONCERN = (CommitCheckpoints, CreateToken, UseToken, RevokeToken, Prove)


class Steps(Struct, frozen=True):
    """What is to be done: `start` asks for epochs, `release` gives back what does not run, `drain` lets runs end.

    `drop` are runs that the state does not know any more: whatever they do is refused.
    """

    start: tuple[TaskKey, ...] = ()
    release: tuple[Run, ...] = ()
    drain: tuple[Run, ...] = ()
    drop: tuple[Run, ...] = ()


def moves_tasks(command: AnyCommand, answer: Answer) -> bool:
    """Say whether a command may have changed who is to run what. Most do not: they commit checkpoints."""
    if isinstance(answer, Refused) or isinstance(command, _OF_NO_CONCERN):
        return False
    return not isinstance(command, StartTasks) or (
        isinstance(answer, Started) and any(epoch is not None for epoch in answer.epochs)
    )


def steps(state: State, node: NodeName, incarnation: str, runs: Mapping[TaskKey, Run]) -> Steps:
    """Return what `node` is to do, which runs `runs`. What is on its way already is not to be asked about.

    It looks at the tasks that are this node's or meant for it only, however many there are besides.
    """
    known = state.nodes.get(node)
    if known is None or known.incarnation != incarnation:  # removed, or another one has the name
        return Steps(drop=tuple(runs.values()))
    start, release, drain, drop = [], [], [], []
    for key, run in runs.items():
        task = state.tasks.get(key)
        if task is None or task.owner != node or task.epoch != run.epoch:
            drop.append(run)
        elif not _goes_on(task, node):
            drain.append(run)
    concerned = {task.key: task for task in (*state.tasks.owned_by(node), *state.tasks.meant_for(node))}
    for key in sorted(concerned.keys() - runs.keys()):
        task = concerned[key]
        if task.owner == node and not _goes_on(task, node):
            release.append(Run(key, task.epoch))
        elif task.target == node and task.owner in (None, node):
            start.append(key)
    return Steps(tuple(start), tuple(release), tuple(drain), tuple(drop))


def _goes_on(task: Task, node: NodeName) -> bool:
    """Whether the epoch that runs may go on: it is wanted here, and reads what it is to read."""
    return task.target == node and task.held == task.share


def beginning(
    state: State, cluster: str, node: NodeName, key: TaskKey, epoch: int, *, ran_before: bool
) -> Begin | None:
    """Return what a worker of a node of this cluster needs to run an epoch; None if the state is past it by now.

    A task that `ran_before` in the same job is as patient as one of a proven version, or of one that was gone back to:
    what it can't reach was there.
    """
    task, job, pipeline = state.tasks.get(key), state.jobs.get(key.job), state.pipeline_of(key.job)
    if task is None or job is None or pipeline is None or task.owner != node or task.epoch != epoch:
        return None
    version = pipeline.version(job.version)
    if version is None:
        return None
    stored = state.checkpoints.get(pipeline.key, {})
    # who reads alone is given all there is: a sink's token may be with a partition that is not there any more
    known = stored if job.parallelism == 1 and key.slot != DISCOVERY else task.held
    return Begin(
        run=Run(key, epoch),
        pipeline=pipeline.key,
        version=job.version,
        generation=job.generation,
        lineage=Lineage(f"{cluster}/{pipeline.key.namespace}/{pipeline.key.name}", pipeline.created_ms),
        spec=version.spec,
        share=task.held,
        tasks=max(1, sum(1 for each in state.tasks.of(job.id) if each.share)),
        checkpoints=tuple((partition, stored[partition].checkpoint) for partition in known if partition in stored),
        patient=ran_before or pipeline.proven == job.version or job.fell_back_from is not None,
    )
