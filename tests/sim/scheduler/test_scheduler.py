"""Random worlds with new seeds each time: they are in the tests' names. `python -m tests.sim.scheduler` runs many."""

from __future__ import annotations

import os

import pytest

from tests.sim.scheduler.trial import Trial
from tests.sim.seeds import first_seed

pytestmark = pytest.mark.sim

COUNT = int(os.environ.get("WIRE_SIM_SCHEDULERS", "20"))
FIRST = first_seed()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_tasks_run_where_they_should_whatever_happens(seed: int) -> None:
    Trial(seed).run()


# seeds that failed


def test_2044231686_a_node_is_moved_nothing_to_while_it_is_silent() -> None:
    Trial(2044231686).run()
