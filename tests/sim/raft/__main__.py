"""`python -m tests.sim.raft --seeds N [--first M]`: clusters under every fault at once, on all cores."""

from __future__ import annotations

import sys

from tests.sim.raft.faults import play
from tests.sim.runner import main

if __name__ == "__main__":
    sys.exit(main("tests.sim.raft", play))
