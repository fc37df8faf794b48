"""Seeds that are new with every run of the tests."""

from __future__ import annotations

import os
import random


def first_seed() -> int:
    """Return `WIRE_SIM_SEED`, or a number by chance: the same in all processes that share a run of the tests."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    return int(os.environ.get("WIRE_SIM_SEED", "0")) or random.Random(run).randrange(1, 1 << 31)
