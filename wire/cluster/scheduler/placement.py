"""Where every task is to run: as the state has it, and as one decision changes it."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from wire.cluster.scheduler.fleet import Fleet, Host, Pool, Selector, level_filled
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

    def spread(self) -> defaultdict[NodeName, int]:
        """Return how many of them each node is to run."""
        found: defaultdict[NodeName, int] = defaultdict(int)
        for task in self.tasks:
            if task.target is not None:
                found[task.target] += 1
        return found


def work_of(job: JobId, weight: int, looking: Selector, reading: Selector, tasks: Iterable[Task]) -> list[Work]:
    """Return what is to run of a job: its discovery, and the tasks that have something to read, each by a selector."""
    discovery: list[Task] = []
    readers: list[Task] = []
    for task in tasks:
        if not task.ended and (task.share or task.key.slot == DISCOVERY):
            (readers if task.share else discovery).append(task)
    kinds = (Kind(_DISCOVERY_LOAD, looking), discovery), (Kind(max(weight, 1) * _UNIT, reading), readers)
    return [Work(job, kind, each) for kind, each in kinds if each]


class Placement:
    """Tasks and their hosts. `moves` are the changes, `unplaced` says why a task has no node that it may run on."""

    def __init__(self, fleet: Fleet, settings: SchedulerSettings, at_ms: int, work: Iterable[Work]) -> None:
        """Enter all there is to run, each task where it is to run by now; `at_ms` is of the clock of `moved_ms`."""
        self.moves: dict[TaskKey, NodeName] = {}
        self.unplaced: dict[TaskKey, str] = {}
        self._fleet = fleet
        self._settings = settings
        self._at_ms = at_ms
        self._homeless: list[tuple[Work, list[Task]]] = []
        for each in work:
            if homeless := self._enter(each):
                self._homeless.append((each, homeless))

    def place(self) -> None:
        """Find a node for each task that has none, and for as many as may move of those whose node is to be left.

        Those with the least choice come first, then the heaviest, as they fit in worst. A task that may run nowhere
        stays where it is; so does one that may run on nodes only that were not heard yet.
        """
        leaving = []
        pending: Counter[Selector] = Counter()
        for work, tasks in sorted(self._homeless, key=self._difficulty):
            selector = work.kind.selector
            if not self._fleet.eligible(selector):
                reason = self._fleet.why_nobody(selector)
                self.unplaced.update((task.key, reason) for task in tasks)
            elif self._fleet.has_room(selector):
                leaving.append((work, [task for task in tasks if self._may_leave(task)]))
                pending[selector] += work.kind.load * len(leaving[-1][1])
        pools: dict[Kind, tuple[Pool, float]] = {}
        for work, tasks in leaving:
            kind = work.kind
            if kind not in pools:
                hosts = self._fleet.eligible(kind.selector).values()
                pools[kind] = Pool(hosts, kind.load), level_filled(hosts, pending[kind.selector])
            self._spread(work, tasks, *pools[kind])
            pending[kind.selector] -= kind.load * len(tasks)

    def move(self, task: Task, load: int, origin: Host, to: Host) -> None:
        """Let a task that is settled at `origin` go to another host."""
        origin.leaving += 1
        self._assign(task, load, to)

    def _enter(self, work: Work) -> list[Task]:
        """Enter a job's tasks where they are; return those that can't stay there."""
        homeless = []
        load, selector = work.kind.load, work.kind.selector
        hosts, eligible, has_room = self._fleet.hosts, self._fleet.eligible(selector), self._fleet.has_room(selector)
        for task in work.tasks:
            target, owner = task.target, task.owner
            goes_back = False
            if target is not None and target in hosts:
                host = hosts[target]
                host.load += load
                if target not in eligible:
                    homeless.append(task)
                    goes_back = owner in eligible and has_room
                elif owner == target:
                    self._settle(task, host)
                    continue
                else:
                    host.arriving += 1
            elif target not in self._fleet.missed:
                homeless.append(task)
                goes_back = owner in eligible and has_room
            if owner is not None and owner != target and owner in hosts and not goes_back:
                hosts[owner].leaving += 1
        return homeless

    def _difficulty(self, homeless: tuple[Work, list[Task]]) -> tuple[int, int, JobId]:
        job, kind = homeless[0].job, homeless[0].kind
        return len(self._fleet.eligible(kind.selector)), -kind.load, job

    def _may_leave(self, task: Task) -> bool:
        """Count a task that runs where it can't stay as leaving, if not too many do so already."""
        if task.owner != task.target or task.owner not in self._fleet.hosts:
            return True
        host = self._fleet.hosts[task.owner]
        if host.leaving >= self._settings.max_moves_per_node:
            return False
        host.leaving += 1
        return True

    def _spread(self, work: Work, tasks: Iterable[Task], pool: Pool, fair: float) -> None:
        """Give each task the least loaded of the hosts with the fewest tasks of its job.

        Hosts that would be loaded beyond the fair level are left out of that: if there are only those, the least
        loaded gets it. Who runs a task still, though it was to go elsewhere, keeps it.
        """
        load = work.kind.load
        eligible = self._fleet.eligible(work.kind.selector)
        count = work.spread()
        shared: list[tuple[tuple[int, float, float], NodeName, Host]] = []  # taken out of the pool: they have some

        def rank(level: float, tasks_of_job: int) -> tuple[int, float, float]:
            return (0, tasks_of_job, level) if level <= fair else (1, level, tasks_of_job)

        def best() -> Host:
            while (first := pool.first()) is not None:
                level, host = first
                if shared and rank(level, 0) >= shared[0][0]:
                    break  # nobody who is left in the pool ranks before that, with tasks of this job or without
                if not count[host.name]:
                    return host
                pool.pop()
                heapq.heappush(shared, (rank(level, count[host.name]), host.name, host))
            host = heapq.heappop(shared)[2]
            pool.push(host)
            return host

        homeless = []
        for task in tasks:
            if task.owner is not None and task.owner in eligible:
                self._go_back(task, load, eligible[task.owner])
                count[task.owner] += 1
            else:
                homeless.append(task)
        for task in homeless:
            host = best()
            self._assign(task, load, host)
            count[host.name] += 1
        for _, _, host in shared:
            pool.push(host)

    def _go_back(self, task: Task, load: int, owner: Host) -> None:
        self._assign(task, load, owner)
        self._settle(replace(task, target=owner.name, moved_ms=self._at_ms), owner)

    def _settle(self, task: Task, host: Host) -> None:
        """Let a task be moved for balance, if it has been here for a while. A clock may have been put back since."""
        if not 0 <= self._at_ms - task.moved_ms < self._settings.dwell_ms:
            host.settled.append(task)

    def _assign(self, task: Task, load: int, host: Host) -> None:
        if task.target is not None and task.target in self._fleet.hosts:
            self._fleet.hosts[task.target].load -= load
        host.load += load
        host.arriving += task.owner != host.name
        self.moves[task.key] = host.name
