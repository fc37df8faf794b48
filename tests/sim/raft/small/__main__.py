"""`python -m tests.sim.raft.small`: every state of some worlds, and a walk of so many steps through wider ones.

Without `--seed` the steps are new ones each time. What is found is told choice by choice; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable

from tests.sim.raft.small.search import CounterexampleError, Found, exhaustive, guided
from tests.sim.raft.small.world import SmallWorld
from tests.sim.raft.small.worlds import QUICK, THOROUGH, WIDE, Kind

_ENOUGH = 2_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.raft.small")
    parser.add_argument("--steps", type=int, default=20_000, help="through each of the wider worlds")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    parser.add_argument("--thorough", action="store_true", help="exhaust what takes longer, too")
    arguments = parser.parse_args()
    print(f"walks from seed {arguments.seed}", flush=True)
    try:
        for kind in QUICK:
            _tell("exhausted", kind, lambda world: exhaustive(world, _ENOUGH))
        for kind in WIDE:
            _tell("walked", kind, lambda world: guided(world, random.Random(arguments.seed), arguments.steps))
        for kind in THOROUGH if arguments.thorough else []:
            _tell("exhausted", kind, lambda world: exhaustive(world, _ENOUGH))
    except CounterexampleError:
        return 1
    return 0


def _tell(how: str, kind: Kind, search: Callable[[SmallWorld], Found]) -> None:
    begun = time.monotonic()
    try:
        found = search(kind.world())
    except CounterexampleError as exc:
        print(f"found in step {exc.steps:,} of {kind.name}: {exc}")
        raise
    what = "states" if found.complete else "shapes"
    took_s = time.monotonic() - begun
    print(f"{how:9} {found.states:9,} {what} {found.steps:10,} steps {took_s:6.1f} s  {kind.name}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
