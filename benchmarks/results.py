"""Results as JSON files, each with the machine, the versions and the date it was measured with."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from benchmarks.contenders import describe

ROOT = Path(__file__).parent.parent
PUBLISHED = Path(__file__).parent / "results"
QUICK = PUBLISHED / "quick"
_WRITTEN = (":!benchmarks/results", ":!docs/performance.md", ":!docs/images")  # by the benchmarks themselves
_LIBRARIES = ("aiokafka", "msgspec", "uvloop", "sqlglot", "pymongo", "elasticsearch", "pysyncobj")

T = TypeVar("T")


class Machine(msgspec.Struct):
    """Where a result was measured. `load` is the load average over the last minute when it was written."""

    cpu: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    libraries: dict[str, str]
    commit: str
    date: str
    load: float


class Result(msgspec.Struct, Generic[T]):
    """One part's results."""

    machine: Machine
    job: dict[str, str]
    measured: T


def machine() -> Machine:
    """Describe this machine, now."""
    return Machine(
        cpu=_cpu(Path("/proc/cpuinfo").read_text()),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        kernel=platform.release(),
        python=platform.python_version(),
        libraries={name: importlib.metadata.version(name) for name in _LIBRARIES},
        commit=_commit(),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        load=round(os.getloadavg()[0], 2),
    )


def write(folder: Path, name: str, measured: object) -> None:
    """Write one part's results, replacing earlier ones."""
    folder.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.encode(Result(machine(), describe(), measured))
    (folder / f"{name}.json").write_bytes(msgspec.json.format(data, indent=1) + b"\n")


def read(folder: Path, name: str, kind: type[T]) -> Result[T] | None:
    """Read one part's results, None if it was never measured."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    return msgspec.json.decode(path.read_bytes(), type=Result[kind])  # type: ignore[valid-type]


def _cpu(cpuinfo: str) -> str:
    names = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    commit, changes = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "--", ".", *_WRITTEN)
    return f"{commit or 'unknown'}{'-dirty' if changes else ''}"


def _git(*arguments: str) -> str:
    """Return what git says, nothing where there is no git or no repository."""
    command = ("git", "-C", str(ROOT), *arguments)
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
