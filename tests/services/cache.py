"""The folder that downloads, logs and data of test servers live in. Git-ignored; may be removed at any time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

KEPT_RUNS = 20
_numbers = count(1)


def cache_dir() -> Path:
    """Return the folder, made if need be: `WIRE_TEST_CACHE`, else `.cache` beside this file."""
    path = Path(os.environ.get("WIRE_TEST_CACHE") or Path(__file__).parent / ".cache").absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let only one test run at a time through, on this machine."""
    with (cache_dir() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def new_run_dir(service: str) -> Path:
    """Return a new folder for one server's log, configuration and data, and clear away what earlier runs left."""
    runs = cache_dir() / "runs"
    runs.mkdir(exist_ok=True)
    _sweep(runs)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    path = runs / f"{stamp}-{service}-{next(_numbers)}-{os.getpid()}"
    path.mkdir()
    return path


def _sweep(runs: Path) -> None:
    """Remove the data of runs whose process is gone, and all but the newest of their logs."""
    finished = sorted(run for run in runs.iterdir() if not _alive(run))
    for run in finished:
        shutil.rmtree(run / "data", ignore_errors=True)
    for run in finished[:-KEPT_RUNS]:
        shutil.rmtree(run, ignore_errors=True)


def _alive(run: Path) -> bool:
    try:
        os.kill(int(run.name.rsplit("-", 1)[1]), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, ValueError, IndexError):
        return False
    return True
