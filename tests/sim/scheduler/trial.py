"""Random worlds: something happens, everything comes to rest, and what came of it is looked at."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from tests.sim.scheduler.checks import check_decision, check_rest
from tests.sim.scheduler.world import World
from wire.cluster.scheduler import Decision
from wire.cluster.state import JobId, NodeName

STEPS = 25
HEAVIEST = 5
ZONES: tuple[dict[str, str], ...] = ({}, {}, {"zone": "a"}, {"zone": "b"}, {"zone": "a", "disk": "ssd"})


class CheckedWorld(World):
    """A world in which every decision is looked at, and made twice."""

    def decide(self) -> Decision:
        decision = super().decide()
        assert super().decide() == decision, "the same arguments give another decision"
        return decision

    def carry_out(self, decision: Decision) -> None:
        check_decision(self, decision)
        super().carry_out(decision)
        again = super().decide().commands
        assert not again, f"carried out, and there is more: {again}"


def play(seed: int) -> Counter[str]:
    """Run what a seed stands for; nothing is told."""
    Trial(seed).run()
    return Counter()


class Trial:
    """One seed's world, and what happens in it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = CheckedWorld()
        self.told: list[str] = []
        self._nodes = 0
        self._jobs: list[JobId] = []
        self._events: list[Callable[[], str | None]] = [
            self.join, self.die, self.come_back, self.hiccup, self.flap, self.drain, self.undrain, self.relabel,
            self.run_job, self.run_job, self.end_job, self.pause, self.resume, self.find, self.find, self.new_leader,
            self.remove_node,
        ]  # fmt: skip

    def run(self) -> None:
        try:
            for _ in range(self.rng.randint(1, 6)):
                self.join()
            for _ in range(self.rng.randint(1, 10)):
                self.run_job()
            self.rest()
            for _ in range(STEPS):
                self.step()
        except AssertionError as exc:
            exc.add_note("\n".join(self.told[-12:]))
            raise

    def step(self) -> None:
        """Let one thing happen, and see that what it moves is in proportion to it; or several at once."""
        if self.rng.random() < 0.6:
            self._one_thing()
            return
        for _ in range(self.rng.randint(2, 5)):
            self._happen(self.rng.choice(self._events))
            self.world.pass_ms(self.rng.choice((0, 500, 2_000, 4_000)))
        self.rest()

    def _one_thing(self) -> None:
        self.world.moves.clear()
        before = {task.key: task.target for task in self.world.running()}
        event = self.rng.choice(self._events)
        subject = self._happen(event)
        self.rest()
        after = {task.key: task.target for task in self.world.running()}
        come_and_gone = before.keys() ^ after.keys()
        there = {key for key in before.keys() & after.keys() if subject in (before[key], after[key])}
        times = 3 if event in (self.flap, self.hiccup) else 1  # so often a node dies, as it seems, and is back
        moves = self.world.moves
        assert moves.total() <= times * HEAVIEST * len(come_and_gone | there), f"{moves.total()} moves"
        assert max(moves.values(), default=0) <= 3 * times, f"moved again and again: {moves.most_common(3)}"

    def _happen(self, event: Callable[[], str | None]) -> str | None:
        """Return to whom it happened."""
        told = event()
        if told is None:
            return None
        self.told.append(told)
        return told.split()[0].rstrip(":")

    def rest(self) -> None:
        """Let it come to rest, and stay there."""
        self.told.append(f"  {self.world.settle()} moves")
        check_rest(self.world)
        assert not self.world.settle(), "something moved, and nothing had happened"

    # what can happen; each tells what it was, None if there was nobody to do it to

    def join(self) -> str:
        self._nodes += 1
        labels = self.rng.choice(ZONES)
        node = self.world.join(f"n{self._nodes}", self.rng.choice((1, 1, 2, 4, 8)), **labels)
        return f"{node} joins: {self.world.state.nodes[node].workers} workers, {labels}"

    def die(self) -> str | None:
        node = self._some_node(silent=False)
        if node is not None:
            self.world.die(node)
        return node and f"{node} dies"

    def come_back(self) -> str | None:
        node = self._some_node(silent=True)
        if node is not None:
            self.world.come_back(node)
        return node and f"{node} comes back"

    def hiccup(self) -> str | None:
        """Not heard for a while, and then it goes on."""
        node = self._some_node(silent=False)
        if node is not None:
            self.world.die(node)
            self.world.pass_ms(self.rng.choice((1_000, 2_500, 3_500, 4_500, 8_000)))
            self.world.wake(node)
        return node and f"{node} is held up"

    def flap(self) -> str | None:
        """Comes and goes, and each time just long enough to be given something."""
        node = self._some_node(silent=False)
        for _ in range(3 if node else 0):
            assert node is not None
            self.world.die(node)
            self.world.pass_ms(5_000)
            self.world.come_back(node)
            self.world.pass_ms(1_500)
        return node and f"{node} comes and goes"

    def drain(self) -> str | None:
        node = self._some_node(silent=False)
        if node is not None:
            self.world.drain(node)
        return node and f"{node} is drained"

    def undrain(self) -> str | None:
        draining = sorted(name for name, node in self.world.state.nodes.items() if node.draining)
        node = self.rng.choice(draining) if draining else None
        if node is not None:
            self.world.drain(node, False)
        return node and f"{node} may work again"

    def relabel(self) -> str | None:
        node = self._some_node(silent=False)
        if node is not None:
            self.world.label(node, **self.rng.choice(ZONES))
        return node and f"{node} has other labels: {self.world.state.nodes[node].labels}"

    def remove_node(self) -> str | None:
        node = self._some_node(silent=True)
        if node is not None:
            self.world.remove(node)
        return node and f"{node} is removed"

    def run_job(self) -> str:
        labels = self.rng.choice(ZONES)
        job = self.world.run(
            self.rng.randint(0, 20),
            parallelism=self.rng.choice((None, None, 1, 3, 8)),
            weight=self.rng.choice((1, 1, 1, 2, HEAVIEST)),
            **labels,
        )
        self._jobs.append(job)
        return f"{job} begins: {labels}"

    def end_job(self) -> str | None:
        if not self._jobs:
            return None
        job = self._jobs.pop(self.rng.randrange(len(self._jobs)))
        self.world.end(job)
        return f"{job} ends"

    def pause(self) -> str | None:
        job = self.rng.choice(self._jobs) if self._jobs else None
        if job is not None:
            self.world.pause(job)
        return job and f"{job} is paused"

    def resume(self) -> str | None:
        job = self.rng.choice(self._jobs) if self._jobs else None
        if job is not None:
            self.world.pause(job, False)
        return job and f"{job} goes on"

    def find(self) -> str | None:
        job = self.rng.choice(self._jobs) if self._jobs else None
        if job is not None:
            self.world.find(job, self.rng.randint(0, 30))
        return job and f"{job} has other partitions"

    def new_leader(self) -> str:
        self.world.new_leader()
        return "another leader"

    def _some_node(self, *, silent: bool) -> NodeName | None:
        names = sorted(name for name in self.world.state.nodes if (name in self.world.silent) == silent)
        return self.rng.choice(names) if names else None
