"""`python -m tests.sim.founding --seeds N [--first M]`: many random worlds; without `--first` with new seeds."""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter

from tests.sim.founding.trial import Trial


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.founding")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    arguments = parser.parse_args()
    print(f"{arguments.seeds:,} worlds, from seed {arguments.first}", flush=True)
    failed, without_majority = 0, 0
    steps: Counter[str] = Counter()
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        trial = Trial(seed)
        try:
            trial.run()
        except AssertionError as exc:
            failed += 1
            print(f"seed {seed}: {exc}", flush=True)
        without_majority += trial.lost_majority
        for machine in trial.world.machines.values():
            steps.update(machine.steps)
    print(f"{failed:,} failed; {without_majority:,} lost the disks of a majority; {dict(steps)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
