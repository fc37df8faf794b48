"""Many seeds on many cores: each for a bounded time, what fails with how to repeat it, and how far one is."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import random
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from types import FrameType
from typing import Final

from msgspec import Struct

Trial = Callable[[int], Counter[str]]
"""Plays what a seed stands for, raises what goes wrong, and counts what was met that is rare."""

MAX_CPU_S: Final = 300.0
"""What a seed takes at most, hundreds of times the usual: the last resort, behind the worlds' own bounds."""
_REPORT_S: Final = 10.0


class EndlessError(Exception):
    """A seed did not come to its end."""


class Outcome(Struct, frozen=True):
    """What came of a seed: what went wrong, None if nothing did, and what was met."""

    problem: str | None
    met: Counter[str]


@contextmanager
def limit(cpu_s: float) -> Iterator[None]:
    """Raise EndlessError when that much was computed within. Only in a process's main thread."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise EndlessError(f"{cpu_s:.0f} s of computing, and it has not come to an end")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Give a list that holds at the end what nobody awaited, closed or caught within: nothing can raise for that."""
    found: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: found.append(
        f"{type(unraisable.exc_value).__name__}: {unraisable.exc_value}"
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield found
            gc.collect()
    finally:
        sys.unraisablehook = before


def attempt(trial: Trial, seed: int) -> Outcome:
    """Play a seed's trial to its end."""
    met: Counter[str] = Counter()
    try:
        with limit(MAX_CPU_S), complaints() as heard:
            met = trial(seed)
    except Exception as exc:
        notes = getattr(exc, "__notes__", [])
        return Outcome("\n".join((f"{type(exc).__name__}: {exc}", *notes)), met)
    return Outcome("\n".join(heard) or None, met)


def _seldom_look_for_garbage() -> None:
    """Have a process not go through all its objects over and over: each world ends with a collection anyway."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


class Run:
    """Seeds of one simulation, a package with a `__main__`, that are to be tried; and what has come of them."""

    def __init__(self, package: str, trial: Trial, seeds: range) -> None:
        """Say nothing yet."""
        self.done = self.failed = 0
        self.met: Counter[str] = Counter()
        self._package = package
        self._trial = trial
        self._seeds = seeds
        self._begun = self._said = time.monotonic()

    def work(self, processes: int | None, stop_at: int | None) -> None:
        """Try them all, or until so many have failed."""
        waiting, processes = iter(self._seeds), processes or os.cpu_count() or 1
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, spawn, initializer=_seldom_look_for_garbage) as pool:
            running: dict[Future[Outcome], int] = {}
            while True:
                more = islice(waiting, 2 * processes - len(running))
                running |= {pool.submit(attempt, self._trial, seed): seed for seed in more}
                if not running:
                    return
                ended, _ = wait(running, timeout=_REPORT_S, return_when=FIRST_COMPLETED)
                for future in ended:
                    self._ended(running.pop(future), future.result())
                self._report()
                if stop_at is not None and self.failed >= stop_at:
                    pool.shutdown(cancel_futures=True)
                    return

    def _ended(self, seed: int, outcome: Outcome) -> None:
        self.done += 1
        self.met += outcome.met
        if outcome.problem is not None:
            self.failed += 1
            print(f"seed {seed}: {outcome.problem}\n  {how_to_repeat(self._package, seed)}", flush=True)

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._said < _REPORT_S:
            return
        self._said = now
        rate = self.done / (now - self._begun)
        left = f"{(len(self._seeds) - self.done) / rate / 60:.0f} min left" if rate else "nothing done yet"
        print(f"{self.done:,} of {len(self._seeds):,}, {self.failed:,} failed, {rate:.1f}/s, {left}", flush=True)


def how_to_repeat(package: str, seed: int) -> str:
    """Return how one seed of a simulation is tried again."""
    return f"repeat it: .venv/bin/python -m {package} --first {seed} --seeds 1"


def main(package: str, trial: Trial) -> int:
    """Try the seeds that the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {package}")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many are tried")
    parser.add_argument("--first", type=int, default=random.SystemRandom().randrange(1, 1 << 31), help="else new ones")
    parser.add_argument("--processes", type=int, help="how many at once; one for each core unless said")
    parser.add_argument("--stop", action="store_true", help="end with the first that fails")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    print(f"{package}: {len(seeds):,} seeds, {seeds.start} to {seeds.stop - 1}", flush=True)
    run = Run(package, trial, seeds)
    run.work(arguments.processes, stop_at=1 if arguments.stop else None)
    met = "".join(f"; {many:,} x {what}" for what, many in run.met.most_common())
    print(f"{run.done - run.failed:,} passed, {run.failed:,} failed{met}")
    return 1 if run.failed else 0
