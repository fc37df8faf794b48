"""Small worlds of real replicas: some to their end, wider ones on walks that are new ones each time.

`WIRE_SIM_STEPS` says how long a walk is, `WIRE_SIM_SEED` where its dice begin. `make sim` goes much further.
"""

from __future__ import annotations

import os
import random

import pysyncobj.syncobj
import pytest

from tests.sim.raft.checks import ViolationError
from tests.sim.raft.small.frozen import frozen
from tests.sim.raft.small.host import Campaign, Heartbeat, Propose
from tests.sim.raft.small.play import Play
from tests.sim.raft.small.search import CounterexampleError, exhaustive, guided
from tests.sim.raft.small.world import Bounds
from tests.sim.raft.small.worlds import QUICK, WIDE, Kind
from tests.sim.seeds import first_seed
from wire.raft.replica.replica import Replica
from wire.raft.transport.messages import Barrier, BarrierReply
from wire.raft.transport.messages import Propose as Proposal

pytestmark = [pytest.mark.sim, pytest.mark.timeout(300)]

STEPS = int(os.environ.get("WIRE_SIM_STEPS", "6000"))
SEED = first_seed()


@pytest.fixture(autouse=True)
def _the_clock_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pysyncobj.syncobj, "monotonicTime", pysyncobj.syncobj.monotonicTime)


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.name)
def test_no_state_of_a_small_world_contradicts_another(kind: Kind) -> None:
    assert exhaustive(kind.world(), 100_000).complete


@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("kind", WIDE, ids=lambda kind: kind.name)
def test_no_walk_through_a_wider_world_finds_a_contradiction(kind: Kind, seed: int) -> None:
    assert guided(kind.world(), random.Random(seed), STEPS).steps >= STEPS


def test_a_search_tells_which_choices_lead_to_what_must_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Replica, "_is_quorum", lambda _self, _members: True)  # one vote is enough
    world = Kind("five members", Bounds(campaigns=2), voters=5).world()
    with pytest.raises(CounterexampleError, match=r"both lead in term 1, after\n  n0: Campaign\(\)\n"):
        exhaustive(world, 100_000)


def test_the_same_choices_lead_to_the_same_state() -> None:
    world = QUICK[2].world()
    exhaustive(world, 100_000)
    for automaton in world.automata:
        for state in range(len(automaton.locals)):
            again = automaton._begin_again(state)
            assert automaton._numbers[frozen(again)] == state


def test_a_read_has_to_see_what_was_confirmed_before_it_and_not_what_was_before_another_at_the_same_member() -> None:
    play = Play()
    play.do(0, Campaign())
    play.carry(0, 1, 2)
    play.do(0, Heartbeat())
    play.carry(0, 1, 2)
    play.read(2)
    play.hold_back()
    play.deliver_late(2, 0, lambda message: isinstance(message, Barrier))
    play.carry(0, 1)
    play.hold_back()
    play.do(0, Propose(b"v"))
    play.carry(0, 1)
    assert play.witness(0).confirmed == 1
    play.read(2)
    play.deliver_late(0, 2, lambda message: isinstance(message, BarrierReply))


def test_a_read_that_does_not_see_what_another_saw_before_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Replica, "barrier", lambda _self, _timeout_s, done: done(True))  # whoever is asked answers
    play = Play()
    play.do(0, Campaign())
    play.carry(0, 1, 2)
    play.do(0, Heartbeat())
    play.carry(0, 1, 2)
    play.do(2, Propose(b"v"))
    play.hold_back()
    play.deliver_late(2, 0, lambda message: isinstance(message, Proposal))
    play.carry(0, 1)
    assert [play.witness(at).confirmed for at in range(3)] == [0, 0, 0]
    play.read(0)
    assert play.witness(0).confirmed == 1
    with pytest.raises(ViolationError, match="a read of n2/a saw 0 values, and clients knew of 1"):
        play.read(2)
