"""A JSON Lines file through filter and select into another file, contenders taking turns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import msgspec

from benchmarks import jobs
from benchmarks.comparison import Comparison, Run, check, take_turns
from benchmarks.contenders import file_command
from benchmarks.counter import Counted, Tally
from benchmarks.processes import RunError, running, usage

_POLL_S = 0.05
_DEADLINE_S = 300.0


async def measure(folder: Path, records: int, rounds: int) -> Comparison:
    """Write a file and let the contenders take turns with it, `rounds` times each, verifying every copy.

    Rates are from starting the process to its end: start-up, fsync and the final checkpoint are all in them.
    """
    source = folder / "records.jsonl"
    write(source, records)
    measured = await take_turns(
        "files", records, rounds, lambda contender, turn: _run(contender, source, folder, records, turn)
    )
    source.unlink()
    return measured


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
