"""Random worlds with new seeds each time: they are in the tests' names. `python -m tests.sim.engine` runs many."""

from __future__ import annotations

import gc
import os

import pytest

from tests.sim.engine.trial import play
from tests.sim.runner import how_to_repeat
from tests.sim.seeds import first_seed

pytestmark = pytest.mark.sim

BLOCK = 10
WORLDS = int(os.environ.get("WIRE_SIM_ENGINES", "300"))
FIRST = first_seed()


@pytest.mark.parametrize("first", range(FIRST, FIRST + WORLDS, BLOCK))
def test_whatever_fails_no_promise_is_broken(first: int) -> None:
    for seed in range(first, first + BLOCK):
        try:
            play(seed)
        except Exception as exc:
            exc.add_note(how_to_repeat("tests.sim.engine", seed))
            raise
    gc.collect()  # what was never awaited or retrieved complains now
