"""`python -m tests.sim.founding --seeds N [--first M]`: blank nodes found one cluster, on all cores."""

from __future__ import annotations

import sys

from tests.sim.founding.trial import play
from tests.sim.runner import main

if __name__ == "__main__":
    sys.exit(main("tests.sim.founding", play))
