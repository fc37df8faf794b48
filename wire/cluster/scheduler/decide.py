"""One decision: from what there is, to the commands that bring it closer to what should be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from wire.cluster.commands import AssignTasks, DealShares, Prove, RevokeNode
from wire.cluster.scheduler.balance import Balance
from wire.cluster.scheduler.fleet import Fleet, Selector, at
from wire.cluster.scheduler.liveness import Liveness
from wire.cluster.scheduler.placement import Placement, Work, work_of
from wire.cluster.scheduler.settings import SchedulerSettings
from wire.cluster.scheduler.shares import Share, deal, task_count
from wire.cluster.scheduler.view import View
from wire.cluster.state import DISCOVERY, Job, JobId, NodeName, Pipeline, Task, TaskKey

ACTOR: Final = "scheduler"


class Decision(Struct, frozen=True):
    """What to propose, in this order; and why tasks have no node that they may run on, in words for an operator."""

    commands: tuple[RevokeNode | DealShares | AssignTasks | Prove, ...]
    unplaced: Mapping[TaskKey, str]


def decide(
    state: View, live: Mapping[NodeName, Liveness], *, now_ms: int, at_ms: int, settings: SchedulerSettings
) -> Decision:
    """Return what should change. The same arguments give the same decision, and one that was carried out no further.

    `now_ms` is of the clock of the leases, `at_ms` of the one that commands are stamped with. A node that is not in
    `live` holds no lease, and nobody waits for it. To be asked again when the state or a lease has changed, and every
    second or so besides: what waits for time to pass, or for tasks that are on their way, goes on then.
    """
    fleet = Fleet(state.nodes, live, now_ms, settings)
    deals: list[DealShares] = []
    proofs: list[Prove] = []
    work: list[Work] = []
    for pipeline, job, tasks in _running(state):
        selector = tuple(sorted(job.node_selector.items()))
        bound = at(pipeline.home, selector) if job.keeps_files and pipeline.home is not None else selector
        shares = _shares(job, tasks, fleet, selector)
        if shares is not None:
            deals.append(_deal_shares(job, shares, at_ms))
        dealt = tasks if shares is None else _dealt(job.id, tasks, shares)
        its_work = work_of(job.id, job.weight, selector, bound, dealt)
        for owner in _ending(tasks, dealt, its_work):
            if owner in fleet.hosts:
                fleet.hosts[owner].leaving += 1
        work += its_work
        if job.version != pipeline.proven and at_ms - _running_since_ms(job, dealt, at_ms) >= settings.grace_ms:
            proofs.append(Prove(at_ms=at_ms, actor=ACTOR, job=job.id))
    placement = Placement(fleet, settings, at_ms, work)
    placement.place()
    Balance(placement, fleet, settings, work).repair()
    assignments = _assignments(placement.moves, at_ms, settings.max_moves_per_command)
    return Decision((*_revocations(state, fleet, at_ms), *deals, *assignments, *proofs), placement.unplaced)


def _running(state: View) -> Iterator[tuple[Pipeline, Job, list[Task]]]:
    """Return the jobs that are to run and their tasks in order, the oldest job first."""
    tasks: defaultdict[JobId, list[Task]] = defaultdict(list)
    for task in state.tasks:
        tasks[task.key.job].append(task)
    wanted = {each.job: each for each in state.pipelines.values() if each.job and each.desired == "running"}
    for id_ in sorted(wanted):
        job = state.jobs.get(id_)
        if job is not None and job.state == "active":
            yield wanted[id_], job, sorted(tasks[id_], key=lambda task: task.key.slot)


def _revocations(state: View, fleet: Fleet, at_ms: int) -> Iterator[RevokeNode]:
    """Take away what nodes own that hold no lease: they have stopped by now, or are fenced (I4)."""
    owners = {task.owner for task in state.tasks if task.owner is not None}
    for node in sorted(owners - fleet.hosts.keys()):
        yield RevokeNode(at_ms=at_ms, actor=ACTOR, node=node, last_epoch=state.last_epoch)


def _shares(job: Job, tasks: Sequence[Task], fleet: Fleet, selector: Selector) -> tuple[Share, ...] | None:
    """Return how a job's partitions should be divided, None where that is right already, or can't be told yet."""
    if job.partitions is None:
        return None
    before = [task.share for task in tasks if task.share]
    count = task_count(job.parallelism, len(job.partitions), fleet.workers(selector), len(before))
    right = count == len(before) and set(chain.from_iterable(before)) == set(job.partitions)
    if right or (job.partitions and not count):
        return None
    return deal(job.partitions, before, count)


def _deal_shares(job: Job, shares: tuple[Share, ...], at_ms: int) -> DealShares:
    return DealShares(at_ms=at_ms, actor=ACTOR, job=job.id, if_shares_revision=job.shares_revision, shares=shares)


def _dealt(job: JobId, tasks: Sequence[Task], shares: Sequence[Share]) -> list[Task]:
    """Return a job's tasks as they are once the shares are dealt."""
    before = {task.key.slot: task for task in tasks}
    dealt = [task for task in tasks if task.key.slot == DISCOVERY]
    for slot, share in enumerate(shares):
        task = before.get(slot)
        if task is None:
            task = Task(key=TaskKey(job, slot), share=share)
        elif task.share != share:
            task = replace(task, share=share, ended=False)
        dealt.append(task)
    return dealt


def _ending(tasks: list[Task], dealt: list[Task], work: Sequence[Work]) -> Iterator[NodeName]:
    """Return who runs tasks of a job that have nothing to do any more, once for each: they are on their way from it."""
    if dealt is tasks and sum(len(each.tasks) for each in work) == len(tasks):
        return
    left = {task.key for each in work for task in each.tasks}
    yield from (task.owner for task in tasks if task.owner is not None and task.key not in left)


def _running_since_ms(job: Job, tasks: Sequence[Task], at_ms: int) -> int:
    """Return since when all of a job's tasks have run without being started anew: now, if they don't run."""
    readers = [task for task in tasks if task.share]
    if not readers or not all(task.ended or task.owner is not None for task in readers):
        return at_ms
    return max(job.started_ms, *(max(task.moved_ms, task.started_ms) for task in readers))


def _assignments(moves: Mapping[TaskKey, NodeName], at_ms: int, most: int) -> Iterator[AssignTasks]:
    pairs = tuple(moves.items())
    for first in range(0, len(pairs), most):
        yield AssignTasks(at_ms=at_ms, actor=ACTOR, moves=pairs[first : first + most])
