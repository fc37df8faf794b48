"""The nodes as one decision sees them: who may be given tasks, how loaded each is, and who has which labels."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Final

from wire.cluster.scheduler.liveness import Liveness
from wire.cluster.scheduler.settings import SchedulerSettings
from wire.cluster.state import Node, NodeName, Task

Selector = tuple[tuple[str, str], ...]
"""Labels a node must have, sorted: a `node_selector` that can be a key."""

_NAME: Final = "\0name"
"""The label that every node has, and whose value is its name."""

_LEAST_RAMP: Final = 0.05
"""What a node counts that has just come, so that it gets something where there are no others."""


class Host:
    """A node whose lease is held, with what it is to run. Its level is its load in proportion to its workers.

    `room` is the workers that count when it is given something: none before its lease is renewed, few while it has
    just come (but what it has already is never taken away for that). `settled` are the tasks that run here and could
    be moved on; `leaving` and `arriving` count those on their way.
    """

    __slots__ = ("arriving", "leaving", "load", "name", "room", "settled", "workers")

    def __init__(self, node: Node, ramp: float) -> None:
        """Begin with nothing to run."""
        self.name = node.name
        self.workers = node.workers
        self.room = node.workers * ramp
        self.load = 0
        self.settled: list[Task] = []
        self.leaving = 0
        self.arriving = 0

    @property
    def level(self) -> float:
        """How loaded it is."""
        return self.load / self.workers

    def level_with(self, load: int) -> float:
        """Return how loaded it would be if that were given to it."""
        return (self.load + load) / self.room


class Fleet:
    """All nodes. `hosts` are those that hold their lease, by name, in order of names.

    `missed` are those whose lease has not been over for long: they may be back before their tasks go elsewhere.
    """

    def __init__(
        self,
        nodes: Mapping[NodeName, Node],
        live: Mapping[NodeName, Liveness],
        now_ms: int,
        settings: SchedulerSettings,
    ) -> None:
        """Look at what the leases say now."""
        held = {name: live[name] for name in sorted(nodes.keys() & live.keys())}
        lapsed = {name for name, lease in held.items() if not lease.is_held(now_ms, settings.lease_ms)}
        patience_ms = settings.lease_ms + settings.settle_ms
        self.missed = {name for name in lapsed if held[name].is_held(now_ms, patience_ms)}
        self._nodes = {name: nodes[name] for name in held if name not in lapsed}
        ramps = {name: _ramp(held[name], settings.return_ms) for name in self._nodes}
        full = max(ramps.values(), default=0.0) or 1.0  # where all have just come, none of them is spared
        self.hosts = {name: Host(node, ramps[name] / full) for name, node in self._nodes.items()}
        self._labelled: dict[tuple[str, str], set[NodeName]] = {}
        for name, node in self._nodes.items():
            for label in (*node.labels.items(), (_NAME, name)):
                self._labelled.setdefault(label, set()).add(name)
        self._eligible: dict[Selector, dict[NodeName, Host]] = {}
        self._workers: dict[Selector, int] = {}

    def eligible(self, selector: Selector) -> Mapping[NodeName, Host]:
        """Return who may run tasks: all that have these labels, are not draining, and have workers."""
        found = self._eligible.get(selector)
        if found is None:
            found = {name: self.hosts[name] for name in self._matching(selector) if _takes_work(self._nodes[name])}
            self._eligible[selector] = found
        return found

    def workers(self, selector: Selector) -> int:
        """Return how many workers those have who are eligible."""
        found = self._workers.get(selector)
        if found is None:
            found = self._workers[selector] = sum(host.workers for host in self.eligible(selector).values())
        return found

    def has_room(self, selector: Selector) -> bool:
        """Say whether any of them may be given something now."""
        return any(host.room for host in self.eligible(selector).values())

    def why_nobody(self, selector: Selector) -> str:
        """Say in an operator's words why nobody is eligible."""
        names = dict(selector)
        if home := names.get(_NAME):
            return f"its files are on {home}, which is {self._why_not(NodeName(home))}"
        labels = ", ".join(f"{name}={value}" for name, value in selector)
        if self._matching(selector):
            return f"every live node{f' with labels {labels}' if labels else ''} is draining or has no workers"
        return f"no live node has labels {labels}" if labels and self.hosts else "no node is live"

    def _why_not(self, name: NodeName) -> str:
        node = self._nodes.get(name)
        if node is None:
            return "not live"
        return "draining or has no workers" if not _takes_work(node) else "without the labels that are asked for"

    def _matching(self, selector: Selector) -> list[NodeName]:
        if not selector:
            return list(self._nodes)
        return sorted(set.intersection(*(self._labelled.get(label, set()) for label in selector)))


class Pool:
    """Hosts in order of how loaded each would be with one more task of a given load.

    Loads may rise while it is used; who was relieved is found at its old place.
    """

    def __init__(self, hosts: Iterable[Host], load: int) -> None:
        """Take in all that may be given something."""
        self._load = load
        self._heap = [(host.level_with(load), host.name, host) for host in hosts if host.room]
        heapq.heapify(self._heap)

    def first(self) -> tuple[float, Host] | None:
        """Return the least loaded one, which stays in, and how loaded it would be; None if there is none."""
        heap = self._heap
        while heap:
            level, name, host = heap[0]
            now = (host.load + self._load) / host.room  # as `level_with`, which is a call too many here
            if now <= level:
                return now, host
            heapq.heapreplace(heap, (now, name, host))
        return None

    def pop(self) -> None:
        """Take out the one that `first` has just returned."""
        heapq.heappop(self._heap)

    def push(self, host: Host) -> None:
        """Put one back that was taken out."""
        heapq.heappush(self._heap, (host.level_with(self._load), host.name, host))


def at(name: NodeName, selector: Selector) -> Selector:
    """Return a selector that only that node fits, if it fits at all."""
    return ((_NAME, name), *selector)


def level_filled(hosts: Iterable[Host], load: int) -> float:
    """Return the level that hosts have if so much is poured over them: who is above it gets nothing."""
    room = 0.0
    for host in sorted((host for host in hosts if host.room), key=lambda host: host.level_with(0)):
        if host.level_with(0) * room > load:
            break
        load += host.load
        room += host.room
    return load / room if room else 0.0


def _ramp(lease: Liveness, return_ms: int) -> float:
    """Return the part of its workers that counts of a node with that lease; it does not grow while it is not heard."""
    if not lease.is_renewed:
        return 0.0
    heard_ms = lease.renewed_ms - lease.since_ms
    return max(_LEAST_RAMP, min(1.0, heard_ms / return_ms)) if return_ms else 1.0


def _takes_work(node: Node) -> bool:
    return not node.draining and node.workers > 0
