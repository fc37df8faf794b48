"""`python -m tests.sim.scheduler --seeds N [--first M]`: figures of large clusters, then many random small ones.

Without `--first` the seeds are new ones each time.
"""

from __future__ import annotations

import argparse
import random
import sys
import traceback

from tests.sim.scheduler import figures
from tests.sim.scheduler.trial import Trial


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.scheduler")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    arguments = parser.parse_args()
    figures.main()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    print(f"{len(seeds):,} worlds, seeds {seeds.start} to {seeds.stop - 1}", flush=True)
    failed = 0
    for seed in seeds:
        try:
            Trial(seed).run()
        except Exception:
            failed += 1
            print(f"seed {seed}:\n{traceback.format_exc()}", flush=True)
    print(f"{len(seeds) - failed:,} passed, {failed:,} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
