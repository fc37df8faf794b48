"""Nodes that found a cluster in virtual time, while they crash, lose their disks and can't hear each other.

What decides is the real thing. Disks, messages and the consensus that lets newcomers in are models of theirs.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wire.node.membership.founding import (
    Agree,
    Found,
    Join,
    Meeting,
    Renew,
    Resume,
    Standing,
    Step,
    Wait,
    Withdraw,
    cluster_of,
)
from wire.raft.types import Member, MemberId

TIMEOUT_S = 2.0
PAUSE_S = 0.5
NOBODY: Mapping[str, MemberId] = {}


@dataclass(frozen=True)
class Disk:
    """What is on it."""

    incarnation: int
    agreed: tuple[Member, ...] | None = None
    withdrawn: bool = False
    cluster: str | None = None


@dataclass
class Machine:
    """A node, at work or not. `known` is what it says of itself; `life` counts its starts."""

    name: str
    disk: Disk
    known: Disk
    up: bool = False
    life: int = 0
    round: int = 0
    group: int = 0
    meeting: Meeting = field(default_factory=Meeting)
    steps: list[str] = field(default_factory=list)

    @property
    def id(self) -> MemberId:
        return MemberId(f"{self.name}/{self.known.incarnation}")


class World:
    """So many machines, and time. `check` is called after each write to a disk."""

    def __init__(self, rng: random.Random, count: int, check: Callable[[], None]) -> None:
        self.rng = rng
        self.check = check
        self.now = 0.0
        self.loss = 0.0
        self.incarnations = 0
        self.wiped: set[MemberId] = set()
        self.voters: dict[str, dict[str, MemberId]] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self.machines = {f"n{i}": self._blank(f"n{i}") for i in range(1, count + 1)}

    def _blank(self, name: str) -> Machine:
        disk = self._new_disk()
        return Machine(name, disk, disk)

    def _new_disk(self) -> Disk:
        self.incarnations += 1
        return Disk(self.incarnations)

    # time

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, event))

    def run_until(self, end: float, done: Callable[[], bool] = lambda: False) -> None:
        while self._events and self._events[0][0] <= end and not done():
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = max(self.now, end)

    def _some(self, most: float) -> float:
        return self.rng.random() * most if self.rng.random() < 0.9 else self.rng.random() * most * 20

    # faults

    def start(self, machine: Machine) -> None:
        if machine.up:
            return
        machine.up, machine.known, machine.meeting = True, machine.disk, Meeting()
        machine.life += 1
        self._ask(machine)

    def kill(self, machine: Machine) -> None:
        machine.up = False
        machine.life += 1

    def wipe(self, machine: Machine) -> None:
        self.kill(machine)
        self.wiped.add(MemberId(f"{machine.name}/{machine.disk.incarnation}"))
        machine.disk = self._new_disk()

    def alive(self, machine: Machine) -> Callable[[], bool]:
        """Say later whether it was not killed meanwhile."""
        life = machine.life
        return lambda: machine.up and machine.life == life

    # rounds

    def _hears(self, one: Machine, other: Machine) -> bool:
        return one.group == other.group and self.rng.random() >= self.loss

    def _ask(self, machine: Machine) -> None:
        if machine.known.cluster is not None:
            return
        machine.round += 1
        number, alive = machine.round, self.alive(machine)
        answers: dict[str, Standing | None] = {name: None for name in self.machines if name != machine.name}

        def finish() -> None:
            if alive() and machine.round == number:
                machine.round += 1
                me = self._standing(machine)
                self._do(machine, machine.meeting.next_step(me, answers))

        def answered(name: str, standing: Standing) -> None:
            if machine.round == number:
                answers[name] = standing
                if None not in answers.values():
                    finish()

        for other in self.machines.values():
            if other is not machine and self._hears(machine, other):
                self.after(self._some(0.1), lambda other=other: self._answer(machine, other, answered))  # type: ignore[misc]
        self.after(TIMEOUT_S, finish)

    def _answer(self, machine: Machine, other: Machine, answered: Callable[[str, Standing], None]) -> None:
        if other.up and self._hears(other, machine):
            standing = self._standing(other)
            self.after(self._some(0.1), lambda: answered(other.name, standing))

    def _standing(self, machine: Machine) -> Standing:
        known = machine.known
        return Standing(
            member=Member(machine.id, machine.name),
            expect=len(self.machines),
            cluster=known.cluster,
            agreed=known.agreed if known.cluster is None else None,
            withdrawn=known.withdrawn,
        )

    # steps

    def _do(self, machine: Machine, step: Step) -> None:
        disk = machine.disk
        if not isinstance(step, Wait):
            machine.steps.append(type(step).__name__)
        match step:
            case Wait():
                self._later(machine)
            case Agree(members):
                self._write(machine, Disk(disk.incarnation, members))
            case Withdraw():
                self._write(machine, Disk(disk.incarnation, disk.agreed, withdrawn=True))
            case Resume():
                self._write(machine, Disk(disk.incarnation, disk.agreed))
            case Renew():
                self._write(machine, self._new_disk())
            case Found(members):
                cluster = cluster_of(members)
                voters = {each.name: each.id for each in members}
                self._write(machine, Disk(disk.incarnation, members, cluster=cluster), voters)
            case Join(cluster):
                self._join(machine, cluster)

    def _later(self, machine: Machine) -> None:
        alive = self.alive(machine)
        self.after(PAUSE_S * self.rng.random(), lambda: self._ask(machine) if alive() else None)

    def _write(self, machine: Machine, disk: Disk, voters: Mapping[str, MemberId] = NOBODY) -> None:
        """Have it on the disk a moment later, and let it be known another moment later."""
        alive = self.alive(machine)

        def known() -> None:
            if alive():
                machine.known = disk
                self._later(machine)

        def written() -> None:
            if alive():
                machine.disk = disk
                if disk.cluster is not None:
                    self._vote(disk, voters)
                self.check()
                self.after(self._some(0.05), known)

        self.after(self._some(0.05), written)

    # consensus

    def _vote(self, disk: Disk, voters: Mapping[str, MemberId]) -> None:
        cluster = str(disk.cluster)
        if disk.agreed is not None:
            self.voters.setdefault(cluster, dict(voters))
        else:
            self.voters[cluster].update(voters)

    def votes(self, cluster: str) -> list[str]:
        """Those who have a vote and all that goes with it, or will have when they are started."""
        found = []
        for name, id_ in self.voters[cluster].items():
            disk = self.machines[name].disk
            founds = disk.agreed is not None and cluster_of(disk.agreed) == cluster
            if id_ == f"{name}/{disk.incarnation}" and (disk.cluster == cluster or founds):
                found.append(name)
        return found

    def has_majority(self, cluster: str) -> bool:
        return 2 * len(self.votes(cluster)) > len(self.voters[cluster])

    def _join(self, machine: Machine, cluster: str) -> None:
        """The newcomer takes the place of its older self where a majority can say so."""
        alive = self.alive(machine)

        def asked() -> None:
            there = [self.machines[name] for name in self.votes(cluster)]
            agree = [each for each in there if each.up and each.known.cluster == cluster and self._hears(machine, each)]
            if 2 * len(agree) > len(self.voters[cluster]):
                self.voters[cluster].pop(machine.name, None)
                if alive():
                    voter = {machine.name: MemberId(f"{machine.name}/{incarnation}")}
                    self._write(machine, Disk(incarnation, cluster=cluster), voter)
                    return
            if alive():
                self._later(machine)

        incarnation = machine.disk.incarnation
        self.after(self._some(0.1), asked)
