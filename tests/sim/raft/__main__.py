"""`python -m tests.sim.raft --seeds N [--first M]`: many seeds on all cores, and how to repeat one that fails.

Without `--first` the seeds are new ones each time.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.sim.raft.faults import Trial

_REPORT_S = 10.0


def attempt(seed: int) -> str | None:
    """Return what went wrong, None if nothing did. Every other seed changes members, too."""
    try:
        Trial(seed, membership=seed % 2 == 1).run()
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.raft")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    failed = 0
    begun = said = time.monotonic()
    print(f"{len(seeds):,} clusters, seeds {seeds.start} to {seeds.stop - 1}", flush=True)
    with ProcessPoolExecutor() as pool:
        for done, (seed, problem) in enumerate(zip(seeds, pool.map(attempt, seeds, chunksize=4), strict=True), 1):
            if problem is not None:
                failed += 1
                print(f"seed {seed}: {problem}\n  repeat it: make sim FIRST_SEED={seed} SEEDS=1", flush=True)
            if time.monotonic() - said > _REPORT_S:
                said = time.monotonic()
                print(f"{done:,} of {len(seeds):,}, {done / (said - begun):.1f}/s, {failed} failed", flush=True)
    print(f"{len(seeds) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
