"""One world: faults for a while, then none, and what must hold throughout and at the end."""

from __future__ import annotations

import random
from collections import Counter

from tests.sim.founding.world import Machine, World

_FAULTS_S = 60.0
_HEALED_S = 400.0


def play(seed: int) -> Counter[str]:
    """Run what a seed stands for; the steps that its nodes took are told."""
    trial = Trial(seed)
    trial.run()
    met = Counter(step for machine in trial.world.machines.values() for step in machine.steps)
    met["a majority's disks lost"] += trial.lost_majority
    return met


class Trial:
    """Everything follows from the seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = World(self.rng, self.rng.choice([2, 3, 3, 3, 4, 5]), self._written)
        self.wiping = self.rng.choice([0.0, 0.1, 0.3, 0.5])
        self.pace_s = self.rng.choice([0.2, 1.0, 5.0, 30.0])
        self.eager = self.rng.choice([0.0, 0.1, 0.3])
        self.back_s = self.rng.choice([0.1, 1.0, 5.0])
        self.lost_majority = False

    def run(self) -> None:
        """Raises AssertionError where something is not as it must be."""
        world = self.world
        for machine in world.machines.values():
            world.after(self.rng.random() * self.rng.choice([0.1, 5.0]), lambda each=machine: world.start(each))  # type: ignore[misc]
        world.after(self.rng.random() * self.pace_s, self._fault)
        world.run_until(_FAULTS_S)
        world.loss = 0.0
        for machine in world.machines.values():
            machine.group = 0
            world.start(machine)
        world.run_until(world.now + _HEALED_S, self._all_in_one)
        if not self._all_in_one():
            self._excused()

    def _written(self) -> None:
        """Look at the disks; and now and then let something happen just then."""
        self._never_two_clusters()
        if self.world.now < _FAULTS_S and self.rng.random() < self.eager:
            machine = self.rng.choice(list(self.world.machines.values()))
            self.world.after(self.rng.random() * 0.5, lambda: self._befall(machine))

    def _never_two_clusters(self) -> None:
        clusters = {machine.disk.cluster for machine in self.world.machines.values()} - {None}
        assert len(clusters) <= 1, self._told(f"{len(clusters)} clusters")

    def _all_in_one(self) -> bool:
        return len({machine.known.cluster for machine in self.world.machines.values()} | {None}) == 2 and all(
            machine.known.cluster for machine in self.world.machines.values()
        )

    def _excused(self) -> None:
        """A cluster that lost its majority with their disks lets nobody in. Nothing else is an excuse."""
        world = self.world
        (cluster,) = {machine.disk.cluster for machine in world.machines.values()} - {None} or {""}
        assert cluster, self._told("no cluster was founded")
        assert not world.has_majority(cluster), self._told("a node is left outside")
        gone = {id_ for name, id_ in world.voters[cluster].items() if name not in world.votes(cluster)}
        assert gone <= world.wiped, self._told("votes were given up")
        self.lost_majority = True

    def _fault(self) -> None:
        machine = self.rng.choice(list(self.world.machines.values()))
        self._befall(machine)
        if self.world.now < _FAULTS_S:
            self.world.after(self.rng.random() * self.pace_s * 2, self._fault)

    def _befall(self, machine: Machine) -> None:
        world, rng = self.world, self.rng
        if world.now >= _FAULTS_S:
            return
        match rng.randrange(6):
            case 0 | 1:
                if rng.random() < self.wiping:
                    world.wipe(machine)
                else:
                    world.kill(machine)
                world.after(rng.random() * self.back_s, lambda: world.start(machine))
            case 2:
                for each in world.machines.values():
                    each.group = rng.randrange(2)
            case 3 | 4:
                for each in world.machines.values():
                    each.group = 0
            case _:
                world.loss = rng.choice([0.0, 0.0, 0.1, 0.4])

    def _told(self, what: str) -> str:
        lines = [f"{each.name} {each.disk} {' '.join(each.steps[-20:])}" for each in self.world.machines.values()]
        return "\n".join([what, *lines])
