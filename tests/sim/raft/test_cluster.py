"""Whole clusters under every fault at once, in virtual time, with new seeds each time: they are in the tests' names.

`WIRE_SIM_CLUSTERS` says how many, `WIRE_SIM_SEED` with which to begin. `make sim` runs many more.
"""

from __future__ import annotations

import os

import pysyncobj.syncobj
import pytest

from tests.sim.raft import world
from tests.sim.raft.faults import trial
from tests.sim.runner import how_to_repeat
from tests.sim.seeds import first_seed

pytestmark = [pytest.mark.sim, pytest.mark.timeout(300)]

COUNT = int(os.environ.get("WIRE_SIM_CLUSTERS", "60"))
FIRST = first_seed()


@pytest.fixture(autouse=True)
def _the_clock_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pysyncobj.syncobj, "monotonicTime", pysyncobj.syncobj.monotonicTime)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_nothing_confirmed_is_lost(seed: int) -> None:
    one = trial(seed)
    try:
        one.run()
    except Exception as exc:
        exc.add_note(how_to_repeat("tests.sim.raft", seed))
        raise
    assert one.world.history.confirmed


# seeds that failed, each with what it has to end within: more than twice what it takes, less than without the repair


def ends_within(events: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "MAX_EVENTS", events)
    trial(seed).run()


def test_a_reply_that_comes_twice_does_not_ask_for_two_pieces_of_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    ends_within(20_000, 428, monkeypatch)  # each piece was answered twice, and asked for twice


def test_what_was_overtaken_is_not_sent_again_for_each_message_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ends_within(14_000, 10206, monkeypatch)  # each refusal had the window sent once more
