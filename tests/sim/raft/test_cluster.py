"""Whole clusters under every fault at once, in virtual time, with new seeds each time: they are in the tests' names.

`WIRE_SIM_CLUSTERS` says how many, `WIRE_SIM_SEED` with which to begin. `make sim` runs many more.
"""

from __future__ import annotations

import os
import random

import pysyncobj.syncobj
import pytest

from tests.sim.raft.faults import Trial

pytestmark = [pytest.mark.sim, pytest.mark.timeout(120)]

COUNT = int(os.environ.get("WIRE_SIM_CLUSTERS", "12"))
FIRST = int(os.environ.get("WIRE_SIM_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)


@pytest.fixture(autouse=True)
def _the_clock_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pysyncobj.syncobj, "monotonicTime", pysyncobj.syncobj.monotonicTime)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_nothing_confirmed_is_lost(seed: int) -> None:
    trial = Trial(seed, membership=False)
    trial.run()
    assert trial.world.checker.confirmed


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_nothing_confirmed_is_lost_while_members_come_and_go(seed: int) -> None:
    trial = Trial(seed, membership=True)
    trial.run()
    assert trial.world.checker.confirmed


def test_a_reply_that_comes_twice_does_not_ask_for_two_pieces_of_a_snapshot() -> None:
    Trial(1915408659, membership=True).run()  # it never ended: each piece was answered twice, and asked for twice
