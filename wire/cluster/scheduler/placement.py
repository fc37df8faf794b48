"""Where every task is to run: as the state has it, and as one decision changes it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from wire.cluster.scheduler.fleet import Fleet, Host, Pool, Selector
from wire.cluster.scheduler.settings import SchedulerSettings
from wire.cluster.state import DISCOVERY, JobId, NodeName, Task, TaskKey

_UNIT: Final = 100
"""The load of a task of weight 1."""

_DISCOVERY_LOAD: Final = 1
"""Next to none, but not none: the discoveries of many jobs do not all go to one node."""


class Kind(NamedTuple):
    """What matters of a task for where it can run: tasks of one kind stand in for each other."""

    load: int
    selector: Selector


class Work(Struct, frozen=True):
    """Tasks of one job and one kind."""

    job: JobId
    kind: Kind
    tasks: Sequence[Task]


def work_of(job: JobId, weight: int, selector: Selector, tasks: Iterable[Task]) -> list[Work]:
    """Return what is to run of a job: its discovery, and the tasks that have something to read."""
    open_ = [task for task in tasks if not task.ended]
    discovery = [task for task in open_ if task.key.slot == DISCOVERY]
    readers = [task for task in open_ if task.share]
    kinds = ((_DISCOVERY_LOAD, discovery), (max(weight, 1) * _UNIT, readers))
    return [Work(job, Kind(load, selector), each) for load, each in kinds if each]


class Placement:
    """Tasks and their hosts. `moves` are the changes, `unplaced` says why a task has no node that it may run on.

    `settled` are the tasks of each host that run where they are to run, by kind: those worth moving on.
    """

    def __init__(self, fleet: Fleet, settings: SchedulerSettings, work: Iterable[Work]) -> None:
        """Enter all there is to run, each task where it is to run by now."""
        self.moves: dict[TaskKey, NodeName] = {}
        self.unplaced: dict[TaskKey, str] = {}
        self.settled: dict[NodeName, dict[Kind, list[Task]]] = {name: {} for name in fleet.hosts}
        self._fleet = fleet
        self._settings = settings
        self._homeless: list[tuple[Work, list[Task]]] = []
        for each in work:
            if homeless := self._enter(each):
                self._homeless.append((each, homeless))

    def place(self) -> None:
        """Find a node for each task that has none, and for as many as may move of those whose node is to be left.

        The heaviest come first, as they fit in worst. A task that may run nowhere stays where it is.
        """
        self._homeless.sort(key=lambda pair: (-pair[0].kind.load, pair[0].job))
        pending: dict[Selector, int] = {}
        for work, tasks in self._homeless:
            load = work.kind.load * len(tasks)
            pending[work.kind.selector] = pending.get(work.kind.selector, 0) + load
        pools: dict[Kind, tuple[Pool, float]] = {}
        for work, tasks in self._homeless:
            kind = work.kind
            hosts = self._fleet.eligible(kind.selector)
            if not hosts:
                reason = self._fleet.why_nobody(kind.selector)
                self.unplaced.update((task.key, reason) for task in tasks)
                continue
            if kind not in pools:
                fair = (sum(host.load for host in hosts.values()) + pending[kind.selector]) / sum(
                    host.room for host in hosts.values()
                )
                pools[kind] = Pool(hosts.values(), kind.load), fair * (1 + self._settings.tolerance)
            self._spread(work, [task for task in tasks if self._may_leave(task)], *pools[kind])

    def move(self, task: Task, kind: Kind, origin: Host, to: Host) -> None:
        """Let a task that is settled at `origin` go to another host."""
        origin.leaving += 1
        self._assign(task, kind, to)

    def _enter(self, work: Work) -> list[Task]:
        """Enter a job's tasks where they are; return those that can't stay there."""
        homeless = []
        hosts, eligible = self._fleet.hosts, self._fleet.eligible(work.kind.selector)
        for task in work.tasks:
            target, owner = task.target, task.owner
            if target is not None and target in hosts:
                host = hosts[target]
                host.add(task.key, work.kind.load)
                if target not in eligible:
                    homeless.append(task)
                elif owner == target:
                    self._settle(task, work.kind, target)
                    continue
                else:
                    host.arriving += 1
            elif target not in self._fleet.missed:
                homeless.append(task)
            if owner is not None and owner != target and owner in hosts:
                hosts[owner].leaving += 1
        return homeless

    def _may_leave(self, task: Task) -> bool:
        """Count a task that runs where it can't stay as leaving, if not too many do so already."""
        if task.owner != task.target or task.owner not in self._fleet.hosts:
            return True
        host = self._fleet.hosts[task.owner]
        if host.leaving >= self._settings.max_moves_per_node:
            return False
        host.leaving += 1
        return True

    def _spread(self, work: Work, tasks: Iterable[Task], pool: Pool, limit: float) -> None:
        """Give each task the least loaded of the hosts with the fewest tasks of its job.

        Hosts that would be loaded beyond `limit` are left out of that: if there are only those, the least loaded gets
        it. Who runs a task still, though it was to go elsewhere, keeps it.
        """
        kind = work.kind
        eligible = self._fleet.eligible(kind.selector)
        seen: list[tuple[tuple[int, float, float], NodeName, Host]] = []

        def rank(host: Host, tasks_of_job: int) -> tuple[int, float, float]:
            level = host.level_with(kind.load)
            return (0, tasks_of_job, level) if level <= limit else (1, level, tasks_of_job)

        def see(host: Host) -> None:
            heapq.heappush(seen, (rank(host, host.tasks_of.get(work.job, 0)), host.name, host))

        for task in tasks:
            if task.owner is not None and task.owner in eligible:
                self._go_back(task, kind, eligible[task.owner])
                continue
            # nobody in the pool is better than its first would be without a task of this job
            while (host := pool.first()) is not None and (not seen or rank(host, 0) < seen[0][0]):
                pool.pop()
                see(host)
            _, _, host = heapq.heappop(seen)
            self._assign(task, kind, host)
            see(host)
        for _, _, host in seen:
            pool.push(host)

    def _go_back(self, task: Task, kind: Kind, owner: Host) -> None:
        owner.leaving -= 1
        self._assign(task, kind, owner)
        self._settle(replace(task, target=owner.name), kind, owner.name)

    def _settle(self, task: Task, kind: Kind, host: NodeName) -> None:
        if task.key.slot != DISCOVERY:  # it weighs too little to be worth a move
            self.settled[host].setdefault(kind, []).append(task)

    def _assign(self, task: Task, kind: Kind, host: Host) -> None:
        if task.target is not None and task.target in self._fleet.hosts:
            self._fleet.hosts[task.target].remove(task.key, kind.load)
        host.add(task.key, kind.load)
        host.arriving += task.owner != host.name
        self.moves[task.key] = host.name
