"""Moving running tasks from nodes that have too much to nodes that have too little."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from wire.cluster.scheduler.fleet import Fleet, Host, Pool
from wire.cluster.scheduler.placement import Kind, Placement, Work
from wire.cluster.scheduler.settings import SchedulerSettings
from wire.cluster.state import DISCOVERY, JobId, NodeName, Task


class _Step(Struct, frozen=True, order=True):
    """A move that could be made; the best one leaves the lower `peak` of the two hosts, then is of the lightest."""

    peak: float
    kind: Kind
    to: NodeName


class Balance:
    """Repairs what is out of balance: no node is to have more than the tolerance over one that could take a task of it.

    Each move lowers the higher one of two levels, and raises the other one to less than that: so it comes to an end,
    and what has come to an end stays as it is while nothing changes.
    """

    def __init__(self, placement: Placement, fleet: Fleet, settings: SchedulerSettings, work: Iterable[Work]) -> None:
        """Look at tasks that are placed."""
        self._placement = placement
        self._fleet = fleet
        self._settings = settings
        self._work = {each.job: each for each in work if each.tasks[0].key.slot != DISCOVERY}
        self._lightest = min((each.kind.load for each in self._work.values()), default=0)
        self._spread: dict[JobId, Counter[NodeName | None]] = {}
        self._settled: dict[NodeName, dict[Kind, list[Task]]] = {}
        self._pools: dict[Kind, Pool] = {}

    def repair(self) -> None:
        """Move tasks until it is right, or as right as can be while only so many are moved at once."""
        while self._round():
            pass

    def _round(self) -> bool:
        """Let each host give away what it should, the most loaded first. Return whether there was anything."""
        moved = False
        self._pools = {}
        least_loaded = Pool(self._fleet.eligible(()).values(), self._lightest).first()
        floor = least_loaded[0] if least_loaded else 0.0
        heard = (host for host in self._fleet.hosts.values() if host.room)
        most_loaded = [(-host.level, host.name, host) for host in heard if self._is_too_much(host, floor)]
        heapq.heapify(most_loaded)
        while most_loaded:
            _, _, host = heapq.heappop(most_loaded)
            step = self._best_step(host)
            if step is not None:
                self._take(host, step)
                heapq.heappush(most_loaded, (-host.level, host.name, host))
                moved = True
        return moved

    def _best_step(self, host: Host) -> _Step | None:
        if host.leaving >= self._settings.max_moves_per_node:
            return None
        steps = (self._step(host, kind) for kind, tasks in self._by_kind(host).items() if tasks)
        return min((step for step in steps if step is not None), default=None)

    def _step(self, host: Host, kind: Kind) -> _Step | None:
        """Return how a task of a kind could be moved, None if that repairs nothing."""
        first = self._least_loaded(kind)
        if first is None or not self._is_too_much(host, first[0]):
            return None
        to = first[1]
        peak = max((host.load - kind.load) / host.workers, (to.load + kind.load) / to.workers)
        return _Step(peak, kind, to.name)

    def _is_too_much(self, host: Host, level: float) -> bool:
        """Say whether a host has too much where another one would have that level with a task more."""
        return host.level > (1 + self._settings.tolerance) * level

    def _least_loaded(self, kind: Kind) -> tuple[float, Host] | None:
        pool = self._pools.get(kind)
        if pool is None:
            pool = self._pools[kind] = Pool(self._fleet.eligible(kind.selector).values(), kind.load)
        while (first := pool.first()) is not None and first[1].arriving >= self._settings.max_moves_per_node:
            pool.pop()
        return first

    def _take(self, host: Host, step: _Step) -> None:
        """Move a task of the step's kind: of a job that has more of its tasks here than there."""
        tasks = self._by_kind(host)[step.kind]

        def crowd(index: int) -> int:
            spread = self._spread_of(tasks[index].key.job)
            return spread[host.name] - spread[step.to]

        task = tasks.pop(max(range(len(tasks)), key=crowd))
        spread = self._spread_of(task.key.job)
        spread[host.name] -= 1
        spread[step.to] += 1
        self._placement.move(task, step.kind.load, host, self._fleet.hosts[step.to])

    def _by_kind(self, host: Host) -> dict[Kind, list[Task]]:
        """Return the tasks that the host could give away. A discovery weighs too little to be worth a move."""
        found = self._settled.get(host.name)
        if found is None:
            found = self._settled[host.name] = {}
            for task in host.settled:
                if task.key.slot != DISCOVERY:
                    found.setdefault(self._work[task.key.job].kind, []).append(task)
        return found

    def _spread_of(self, job: JobId) -> Counter[NodeName | None]:
        """Return how many of a job's tasks each node is to run, with what was moved by now."""
        found = self._spread.get(job)
        if found is None:
            moves = self._placement.moves
            found = Counter(moves.get(task.key, task.target) for task in self._work[job].tasks)
            self._spread[job] = found
        return found
