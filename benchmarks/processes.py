"""The processes of a run: started, watched through /proc, ended. Linux only.

Each is a session of its own: the kernel's scheduler shares the CPUs between sessions first, so a run is not throttled
by what else was started from the same terminal.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STOP_DEADLINE_S = 30.0
_LINE_LIMIT = 1 << 24


class Usage(msgspec.Struct, frozen=True):
    """What a process tree uses: CPU seconds so far, and bytes resident now."""

    cpu_s: float
    rss: int


class RunError(Exception):
    """A process of the run did not do its part; the text says which, and what it printed."""


class Child:
    """A running process; its errors go to a file in `logs`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    async def line(self, deadline_s: float) -> bytes:
        """Return the next line it prints. Raises RunError when there is none by the deadline."""
        assert self.process.stdout is not None  # noqa: S101 (for the type checker: always piped here)
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), deadline_s)
        except TimeoutError:
            raise RunError(f"{self.name} said nothing for {deadline_s:g} s: {self.tail()}") from None
        if not line:
            raise RunError(f"{self.name} ended without an answer: {self.tail()}")
        return line

    async def report(self, kind: type[T], deadline_s: float) -> T:
        """Return the JSON line with which it ends, as a `kind`."""
        return msgspec.json.decode(await self.line(deadline_s), type=kind)

    async def stop(self) -> int:
        """Ask it to end (SIGTERM), wait until it has, and return its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.process.wait(), _STOP_DEADLINE_S)
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()

    def tail(self) -> str:
        """Return the end of what it printed to standard error."""
        return self._log.read_text(errors="replace")[-2000:].strip() or "(it printed nothing)"


@asynccontextmanager
async def running(
    name: str, command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    """Run a command until the block ends."""
    log = folder / f"{name}.log"
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
    child = Child(name, process, log)
    try:
        yield child
    finally:
        await child.stop()


def module(name: str, task: msgspec.Struct) -> list[str]:
    """Return the command that runs a module of this package on a task."""
    return [sys.executable, "-m", f"benchmarks.{name}", msgspec.json.encode(task).decode()]


def tree(pid: int, proc: Path = Path("/proc")) -> list[int]:
    """Return the process and all its descendants."""
    found = [pid]
    for parent in found:
        for task in (proc / str(parent) / "task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue  # it has just ended
    return found


def usage(pid: int, proc: Path = Path("/proc")) -> Usage:
    """Return what the process and its descendants use, those that have ended and been waited for included."""
    cpu_ticks = rss_pages = 0
    for member in tree(pid, proc):
        try:
            # the command's name may hold spaces and brackets; what follows the last bracket is regular
            fields = (proc / str(member) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        cpu_ticks += sum(int(field) for field in fields[11:15])
        rss_pages += int(fields[21])
    return Usage(cpu_ticks / _TICKS_PER_S, rss_pages * _PAGE)


def machine_cpu_s(proc: Path = Path("/proc")) -> float:
    """Return how long all CPUs together have been busy since the machine started."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, (proc / "stat").read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S
