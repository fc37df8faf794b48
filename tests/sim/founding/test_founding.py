"""Random worlds with new seeds each time: they are in the tests' names. `python -m tests.sim.founding` runs many."""

from __future__ import annotations

import os

import pytest

from tests.sim.founding.trial import Trial
from tests.sim.runner import how_to_repeat
from tests.sim.seeds import first_seed

pytestmark = pytest.mark.sim

BLOCKS = 10
WORLDS = int(os.environ.get("WIRE_SIM_FOUNDINGS", "300")) // BLOCKS
FIRST = first_seed()


@pytest.mark.parametrize("first", range(FIRST, FIRST + BLOCKS * WORLDS, WORLDS))
def test_blank_nodes_found_one_cluster_whatever_happens(first: int) -> None:
    for seed in range(first, first + WORLDS):
        trial = Trial(seed)
        try:
            trial.run()
        except AssertionError as exc:
            exc.add_note(how_to_repeat("tests.sim.founding", seed))
            raise
