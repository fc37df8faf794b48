"""`python -m tests.sim.raft --seeds N [--first M]`: many seeds on all cores, and how to repeat one that fails.

Without `--first` the seeds are new ones each time.
"""

from __future__ import annotations

import argparse
import random
import sys

from tests.sim.raft.runner import Run, attempt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.raft")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    parser.add_argument("--processes", type=int, help="how many at once; one for each core unless said")
    parser.add_argument("--stop", action="store_true", help="end with the first that fails")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    print(f"{len(seeds):,} clusters, seeds {seeds.start} to {seeds.stop - 1}", flush=True)
    run = Run(seeds, attempt)
    run.work(arguments.processes, stop_at=1 if arguments.stop else None)
    print(f"{run.done - run.failed:,} passed, {run.failed:,} failed")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
