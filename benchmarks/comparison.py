"""Two contenders that take turns with one job, and their runs side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from benchmarks.arithmetic import Spread, ratios, spread
from benchmarks.contenders import BARE, WIRE
from benchmarks.counter import Counted
from benchmarks.processes import RunError
from benchmarks.progress import say


class Run(msgspec.Struct):
    """One run; each benchmark says which span of time its rates are of."""

    contender: str
    records_per_s: float
    records_per_cpu_s: float
    peak_rss_mib: float


class Comparison(msgspec.Struct):
    """All runs in their order. `control` compares each run of the bare loop with the one before it: pure noise."""

    records: int
    runs: list[Run]
    per_s: dict[str, Spread]
    per_cpu_s: dict[str, Spread]
    wire_to_bare_per_cpu_s: Spread
    control: Spread

    def wire_to_bare_per_s(self) -> Spread:
        """Return the ratio of the clock: each run of Wire's over the bare loop's beside it."""
        rates = {name: [run.records_per_s for run in self.runs if run.contender == name] for name in (BARE, WIRE)}
        return spread(ratios(rates[WIRE], rates[BARE]))


async def take_turns(name: str, records: int, rounds: int, run: Callable[[str, int], Awaitable[Run]]) -> Comparison:
    """Let the contenders run `rounds` times each, one after the other; `run` is told who and in which round, from 0."""
    runs = []
    for turn in range(rounds):
        for contender in (BARE, WIRE):
            done = await run(contender, turn)
            runs.append(done)
            say(
                f"{name} {turn + 1}/{rounds} {contender:5} {done.records_per_s:>9,.0f}/s "
                f"{done.records_per_cpu_s:>9,.0f} per CPU-s, peak RSS {done.peak_rss_mib:.0f} MiB"
            )
    return summarize(records, runs)


def summarize(records: int, runs: list[Run]) -> Comparison:
    """Put the runs side by side."""
    by = {name: [run for run in runs if run.contender == name] for name in (BARE, WIRE)}
    cost = {name: [run.records_per_cpu_s for run in found] for name, found in by.items()}
    return Comparison(
        records,
        runs,
        {name: spread([run.records_per_s for run in found]) for name, found in by.items()},
        {name: spread(found) for name, found in cost.items()},
        spread(ratios(cost[WIRE], cost[BARE])),
        spread(ratios(cost[BARE][1:], cost[BARE]) or [1.0]),
    )


def check(counted: Counted) -> None:
    """Raise RunError unless everything arrived once."""
    if counted.missing or counted.repeated or counted.unexpected:
        raise RunError(
            f"wrong records at the destination: {counted.missing} missing, {counted.repeated} repeated, "
            f"{counted.unexpected} unexpected"
        )
