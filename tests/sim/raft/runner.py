"""Many seeds on many cores: each for a bounded time, what fails with how to repeat it, and how far one is."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from types import FrameType
from typing import Final

from tests.sim.raft.faults import how_to_repeat, trial

MAX_CPU_S: Final = 300.0
"""What a seed takes at most, hundreds of times the usual: the last resort, behind `world.MAX_EVENTS`."""
_REPORT_S: Final = 10.0


class EndlessError(Exception):
    """A seed did not come to its end."""


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


def attempt(seed: int) -> str | None:
    """Return what went wrong, None if nothing did."""
    try:
        with limit(MAX_CPU_S):
            trial(seed).run()
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"
    return None


class Run:
    """Seeds to be tried, and what has come of them."""

    def __init__(self, seeds: range, attempt: Callable[[int], str | None]) -> None:
        """Say nothing yet."""
        self.done = self.failed = 0
        self._seeds = seeds
        self._attempt = attempt
        self._begun = self._said = time.monotonic()

    def work(self, processes: int | None, stop_at: int | None) -> None:
        """Try them all, or until so many have failed."""
        waiting, processes = iter(self._seeds), processes or os.cpu_count() or 1
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            running: dict[Future[str | None], int] = {}
            while True:
                more = islice(waiting, 2 * processes - len(running))
                running |= {pool.submit(self._attempt, seed): seed for seed in more}
                if not running:
                    return
                ended, _ = wait(running, timeout=_REPORT_S, return_when=FIRST_COMPLETED)
                for future in ended:
                    self._ended(running.pop(future), future.result())
                self._report()
                if stop_at is not None and self.failed >= stop_at:
                    pool.shutdown(cancel_futures=True)
                    return

    def _ended(self, seed: int, problem: str | None) -> None:
        self.done += 1
        if problem is not None:
            self.failed += 1
            print(f"seed {seed}: {problem}\n  {how_to_repeat(seed)}", flush=True)

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._said < _REPORT_S:
            return
        self._said = now
        rate = self.done / (now - self._begun)
        left = f"{(len(self._seeds) - self.done) / rate / 60:.0f} min left" if rate else "nothing done yet"
        print(f"{self.done:,} of {len(self._seeds):,}, {self.failed:,} failed, {rate:.1f}/s, {left}", flush=True)
