"""`python -m tests.sim.scheduler --seeds N [--first M]`: tasks in clusters that change, on all cores."""

from __future__ import annotations

import sys

from tests.sim.runner import main
from tests.sim.scheduler.trial import play

if __name__ == "__main__":
    sys.exit(main("tests.sim.scheduler", play))
