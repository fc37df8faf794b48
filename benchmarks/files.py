"""A JSON Lines file through filter and select into another file, contenders taking turns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import msgspec

from benchmarks import jobs
from benchmarks.arithmetic import Spread, ratios, spread
from benchmarks.contenders import BARE, WIRE, file_command
from benchmarks.counter import Counted, Tally
from benchmarks.processes import RunError, running, usage
from benchmarks.progress import say
from benchmarks.throughput import check

_POLL_S = 0.05
_DEADLINE_S = 300.0


class Run(msgspec.Struct):
    """One run, from starting the process to its end: start-up, fsync and the final checkpoint are all in it."""

    contender: str
    records_per_s: float
    records_per_cpu_s: float
    peak_rss_mib: float


class Files(msgspec.Struct):
    """All runs in their order. `control` compares each run of the bare loop with the one before it: pure noise."""

    records: int
    runs: list[Run]
    per_s: dict[str, Spread]
    per_cpu_s: dict[str, Spread]
    wire_to_bare_per_cpu_s: Spread
    control: Spread


async def measure(folder: Path, records: int, rounds: int) -> Files:
    """Write a file and let the contenders take turns with it, `rounds` times each, verifying every copy."""
    source = folder / "records.jsonl"
    write(source, records)
    runs = []
    for turn in range(rounds):
        for contender in (BARE, WIRE):
            run = await _run(contender, source, folder, records, turn)
            runs.append(run)
            say(
                f"files {turn + 1}/{rounds} {contender:5} {run.records_per_s:>9,.0f}/s "
                f"{run.records_per_cpu_s:>9,.0f} per CPU-s, peak RSS {run.peak_rss_mib:.0f} MiB"
            )
    source.unlink()
    return summarize(records, runs)


def summarize(records: int, runs: list[Run]) -> Files:
    """Put the runs side by side."""
    by = {name: [run for run in runs if run.contender == name] for name in (BARE, WIRE)}
    cost = {name: [run.records_per_cpu_s for run in found] for name, found in by.items()}
    return Files(
        records,
        runs,
        {name: spread([run.records_per_s for run in found]) for name, found in by.items()},
        {name: spread(found) for name, found in cost.items()},
        spread(ratios(cost[WIRE], cost[BARE])),
        spread(ratios(cost[BARE][1:], cost[BARE]) or [1.0]),
    )


def write(path: Path, records: int) -> None:
    """Write the input."""
    with path.open("wb") as file:
        for number in range(records):
            file.write(jobs.value(number, number) + b"\n")


def tally(path: Path, records: int) -> Counted:
    """Count what is in the file."""
    seen = Tally(records, filtered=True)
    decode = msgspec.json.Decoder(jobs.Stamp).decode
    with path.open("rb") as file:
        for line in file:
            seen.add(decode(line).id - jobs.ID_BASE)
    return Counted(seen.records, seen.missing, seen.repeated, seen.unexpected)


async def _run(contender: str, source: Path, folder: Path, records: int, turn: int) -> Run:
    target = folder / f"copy-{contender}-{turn}.jsonl"  # its name is that of the pipeline, which keeps its progress
    cpu_before_s = _children_cpu_s()
    started_s = time.monotonic()
    peak = 0
    async with running(contender, file_command(contender, source, target, folder), folder) as child:
        async with asyncio.timeout(_DEADLINE_S):
            while child.process.returncode is None:
                peak = max(peak, usage(child.pid).rss)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(child.process.wait(), _POLL_S)
        took_s = time.monotonic() - started_s
        if child.process.returncode:
            raise RunError(f"{contender} ended with {child.process.returncode}: {child.tail()}")
    cpu_s = _children_cpu_s() - cpu_before_s
    check(await asyncio.to_thread(tally, target, records))
    target.unlink()
    return Run(contender, records / took_s, records / cpu_s, peak / 2**20)


def _children_cpu_s() -> float:
    """Return the CPU time of all children that have ended: exact, where /proc counts in hundredths."""
    times = os.times()
    return times.children_user + times.children_system
