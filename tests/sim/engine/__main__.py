"""`python -m tests.sim.engine --seeds N [--first M]`: pipelines in worlds that fail at random, on all cores."""

from __future__ import annotations

import sys

from tests.sim.engine.trial import play
from tests.sim.runner import main

if __name__ == "__main__":
    sys.exit(main("tests.sim.engine", play))
