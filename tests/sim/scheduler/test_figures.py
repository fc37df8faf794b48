"""The figures of a small cluster are within bounds, and those of a bad scheduler are not."""

from __future__ import annotations

from msgspec.structs import replace

from tests.sim.scheduler import figures
from tests.sim.scheduler.world import World
from wire.cluster.commands import AssignTasks
from wire.cluster.scheduler import ACTOR, Decision, SchedulerSettings

NODES = 30


def test_a_change_moves_what_it_concerns_and_leaves_the_levels_close() -> None:
    assert figures.run(World(SchedulerSettings()), NODES) == []


def test_a_scheduler_that_lets_levels_drift_apart_is_out_of_bounds() -> None:
    complaints = figures.run(World(SchedulerSettings(tolerance=2.0)), NODES)
    assert complaints
    assert all("levels are from" in each for each in complaints)


class Restless(World):
    """Whenever there is nothing to do it moves a task."""

    def decide(self) -> Decision:
        decision = super().decide()
        task = next(iter(self.state.tasks.values()))
        if decision.commands or task.target is None:
            return decision
        to = next(node for node in self.state.nodes if node != task.target and node not in self.silent)
        move = AssignTasks(at_ms=self.at_ms, actor=ACTOR, moves=((task.key, to),))
        return replace(decision, commands=(move,))


def test_a_scheduler_that_moves_tasks_for_nothing_is_out_of_bounds() -> None:
    complaints = figures.run(Restless(SchedulerSettings()), NODES)
    assert "nothing has changed: there is no end to the decisions" in complaints
    assert "nothing has changed: 1 tasks moved, where 0 had to" in complaints
