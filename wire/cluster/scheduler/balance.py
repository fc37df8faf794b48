"""Moving running tasks from nodes that have too much to nodes that have too little."""

from __future__ import annotations

import heapq

from msgspec import Struct

from wire.cluster.scheduler.fleet import Fleet, Host, Pool
from wire.cluster.scheduler.placement import Kind, Placement
from wire.cluster.scheduler.settings import SchedulerSettings
from wire.cluster.state import Task


class _Step(Struct, frozen=True, order=True):
    """A move that could be made; the best one leaves the lower `peak` of the two hosts, then is of the lightest."""

    peak: float
    kind: Kind
    level: float
    to: Host


def rebalance(placement: Placement, fleet: Fleet, settings: SchedulerSettings) -> None:
    """Move tasks until no node has more than the tolerance over one that could take a task from it.

    Each move lowers the higher one of two levels, and raises the other one to less than that: so it comes to an end,
    and what has come to an end stays as it is while nothing changes.
    """
    while _Round(placement, fleet, settings).run():
        pass


class _Round:
    """Each host in turn, the most loaded first, gives away what it should."""

    def __init__(self, placement: Placement, fleet: Fleet, settings: SchedulerSettings) -> None:
        self._placement = placement
        self._fleet = fleet
        self._settings = settings
        self._pools: dict[Kind, Pool] = {}

    def run(self) -> bool:
        """Return whether there was anything to move."""
        moved = False
        most_loaded = [(-host.level, host.name, host) for host in self._fleet.hosts.values() if host.workers]
        heapq.heapify(most_loaded)
        while most_loaded:
            _, _, host = heapq.heappop(most_loaded)
            step = self._best_step(host)
            if step is None:
                continue
            self._take(host, step)
            heapq.heappush(most_loaded, (-host.level, host.name, host))
            moved = True
        return moved

    def _best_step(self, host: Host) -> _Step | None:
        if host.leaving >= self._settings.max_moves_per_node:
            return None
        steps = (self._step(host, kind) for kind, tasks in self._placement.settled[host.name].items() if tasks)
        return min((step for step in steps if step is not None), default=None)

    def _step(self, host: Host, kind: Kind) -> _Step | None:
        """Return how a task of a kind could be moved, None if that repairs nothing."""
        to = self._least_loaded(kind, host)
        if to is None or host.level <= (1 + self._settings.tolerance) * to.level_with(kind.load):
            return None
        left, got = (host.load - kind.load) / host.workers, (to.load + kind.load) / to.workers
        return _Step(max(left, got), kind, got, to)

    def _least_loaded(self, kind: Kind, origin: Host) -> Host | None:
        pool = self._pools.get(kind)
        if pool is None:
            pool = self._pools[kind] = Pool(self._fleet.eligible(kind.selector).values(), kind.load)
        while (host := pool.first()) is not None and host.arriving >= self._settings.max_moves_per_node:
            pool.pop()
        return None if host is origin else host  # everybody else has more than the origin

    def _take(self, host: Host, step: _Step) -> None:
        """Move a task of the step's kind: of a job that has more of its tasks here than there."""
        tasks = self._placement.settled[host.name][step.kind]

        def crowd(task: Task) -> int:
            job = task.key.job
            return host.tasks_of[job] - step.to.tasks_of.get(job, 0)

        task = max(tasks, key=crowd)
        tasks.remove(task)
        self._placement.move(task, step.kind, host, step.to)
