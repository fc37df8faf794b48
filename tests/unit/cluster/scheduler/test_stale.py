"""A decision is made beside the state that goes on changing: what it proposes is never wrong, only late."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.cluster.invariants import Invariants
from tests.unit.cluster.play import Play
from tests.unit.cluster.world_kit import World
from wire.cluster import commands as c
from wire.cluster.apply import apply
from wire.cluster.encoding import not_enabled
from wire.cluster.scheduler import Liveness, SchedulerSettings, decide, view
from wire.cluster.state import DISCOVERY, JobId, NodeName, State, TaskKey

SETTINGS = SchedulerSettings(return_ms=0, grace_ms=100)
NOW_MS = 1_000_000


def leases(state: State, random: Random) -> dict[NodeName, Liveness]:
    """What is known of the nodes: some are alive, some are not."""
    return {name: Liveness(NOW_MS - 60_000, NOW_MS - random.choice([0, 0, 0, 30_000])) for name in state.nodes}


@settings(max_examples=60, deadline=None)
@given(random=st.randoms(use_true_random=False), steps=st.integers(10, 80))
def test_what_must_hold_holds_whatever_has_changed_since_the_decision_began(random: Random, steps: int) -> None:
    state, player, invariants = State(), Play(random), Invariants()
    index = 0

    def carry_out(command: c.AnyCommand) -> None:
        nonlocal index
        index += 1
        invariants.check(state, index, command, apply(state, index, command))

    while index < steps:
        seen, known = view(state), leases(state, random)
        for _ in range(random.randrange(6)):
            command = player.next(state)
            if not_enabled(state, command) is None:
                carry_out(command)
        decision = decide(seen, known, now_ms=NOW_MS, at_ms=state.now_ms, settings=SETTINGS)
        for decided in decision.commands:
            carry_out(decided)
        index += 1  # also where nobody had anything to do


def test_a_view_stays_as_it_was() -> None:
    world = World()
    world.node("a")
    world.apply("spec", "j")
    seen = view(world.state)
    before = decide(seen, {NodeName("a"): Liveness(0, 1)}, now_ms=2, at_ms=2, settings=SETTINGS)
    world.spread("j", "x", "y")
    world.do(c.RemoveNode(at_ms=1, name=NodeName("a")))
    assert decide(seen, {NodeName("a"): Liveness(0, 1)}, now_ms=2, at_ms=2, settings=SETTINGS) == before
    assert [task.key for task in seen.tasks] == [TaskKey(JobId("j"), DISCOVERY)]
    assert list(seen.nodes) == ["a"]


def test_shares_that_were_computed_for_other_partitions_are_refused() -> None:
    world = World()
    world.node("a")
    world.apply("spec", "j")
    world.spread("j", "x", "y")
    world.report("j", "xyz")
    seen = view(world.state)
    world.report("j", "xyzw")
    decision = decide(seen, {NodeName("a"): Liveness(0, 1)}, now_ms=2, at_ms=2, settings=SETTINGS)
    (deal,) = (each for each in decision.commands if isinstance(each, c.DealShares))
    assert world.refusal(deal) == "cluster.shares_changed"


def test_what_a_node_has_started_since_is_not_taken_away_from_it() -> None:
    world = World()
    world.node("a")
    world.apply("spec", "j")
    world.spread("j", "x", "y")
    world.run("j", 0, "a")
    seen = view(world.state)
    later = world.run("j", 1, "a")
    (revoke,) = decide(seen, {}, now_ms=2, at_ms=2, settings=SETTINGS).commands
    world.do(revoke)
    owned = {task.key.slot: task.epoch for task in world.state.tasks.owned_by(NodeName("a"))}
    assert owned == {1: later}
