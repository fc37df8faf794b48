"""`python -m tests.mutants [--only NAME]`: undo one repair of the consensus after the other, and see who notices.

Three look at each mutant: the directed tests, which have the sequence of messages that brings the defect out; the
random simulation, up to so many seeds; and the search through small worlds. A table says how each of them caught it.
One that the directed tests let through is a failure, whoever else notices: a search takes luck. So is one under which
a sequence of the audit (`sequences`) or a seed with a name (`seeds`) passes that is said to show it, and one whose text
is not in the source any more. Only a test that fails by its name has noticed: not one that can't be run at all, nor one
that runs out of time. So the tests have to pass first on the source as it is.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.mutants import MUTANTS
from tests.mutants.mutant import SEEDS, SEQUENCES, Mutant

ROOT: Final = Path(__file__).resolve().parents[2]
PYTEST: Final = ("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--timeout=60")
_FAILED: Final = re.compile(r"^FAILED \S+::(\w+)(.*)$", re.MULTILINE)
_OUT_OF_TIME: Final = " - Failed: Timeout"
_SEED: Final = re.compile(r"^seed (\d+):", re.MULTILINE)
_FOUND: Final = re.compile(r"^found in step ([\d,]+) of (.*?):", re.MULTILINE)


class Caught(NamedTuple):
    """How each of the three noticed a mutant, None where one did not; `sequences` and `seeds` are tests with names."""

    directed: str | None
    sequences: str | None
    seeds: str | None
    random: str | None
    search: str | None


def caught(mutant: Mutant, seeds: int, steps: int) -> Caught:
    """Return who notices the mutant."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        _copy(folder)
        file = folder / "wire/raft" / mutant.file
        text = file.read_text()
        if text.count(mutant.old) != 1:
            raise SystemExit(f"{mutant.name}: its text is {text.count(mutant.old)} times in {mutant.file}")
        file.write_text(text.replace(mutant.old, mutant.new))
        return Caught(
            _directed(folder, mutant.tests),
            _named(folder, SEQUENCES, mutant.sequences),
            _named(folder, SEEDS, mutant.seeds),
            _random(folder, seeds),
            _search(folder, steps),
        )


def require_passing(tests: Iterable[str]) -> None:
    """Exit if these tests do not pass on the source as it is: what fails anyway would notice every mutant."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        _copy(folder)
        run = in_copy(folder, *PYTEST, *sorted(set(tests)))
    if run.returncode:
        raise SystemExit(f"without any mutant the tests do not pass:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")


def failed_tests(run: subprocess.CompletedProcess[str]) -> list[str]:
    """Return which tests have failed in a run of pytest, but for those that ran out of time."""
    if run.returncode != pytest.ExitCode.TESTS_FAILED:
        return []
    return [name for name, rest in _FAILED.findall(run.stdout) if _OUT_OF_TIME not in rest]


def _copy(folder: Path) -> None:
    for part in ("wire", "tests", "pyproject.toml"):
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns(".cache", "__pycache__"))
        else:
            shutil.copy(source, folder / part)


def _directed(folder: Path, tests: tuple[str, ...]) -> str | None:
    run = in_copy(folder, *PYTEST, "-x", *tests)
    return _told(run, ", ".join(failed_tests(run)))


def _named(folder: Path, file: str, names: tuple[str, ...]) -> str | None:
    """Return which of some tests fail."""
    if not names:
        return None
    run = in_copy(folder, *PYTEST, *(f"{file}::{name}" for name in names))
    return _told(run, ", ".join(sorted(failed_tests(run))))


def _random(folder: Path, seeds: int) -> str | None:
    run = in_copy(folder, "tests.sim.raft", "--first", "1", "--seeds", str(seeds), "--processes", "1", "--stop")
    found = _SEED.search(run.stdout)
    return _told(run, f"seed {found[1]}" if found else "")


def _search(folder: Path, steps: int) -> str | None:
    run = in_copy(folder, "tests.sim.raft.small", "--seed", "1", "--steps", str(steps))
    found = _FOUND.search(run.stdout)
    return _told(run, f"{found[2]}, step {found[1]}" if found else "")


def _told(run: subprocess.CompletedProcess[str], what: str) -> str | None:
    """Return what was noticed, None for nothing; say so if something went wrong and yet nothing was noticed."""
    if run.returncode and not what:
        print(f"no verdict: {run.args}\n{run.stdout[-2000:]}{run.stderr[-2000:]}", file=sys.stderr, flush=True)
    return what or None


def in_copy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python with the source that is in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "500"}  # or pytest cuts off why a test failed
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--seeds", type=int, default=100, help="how many clusters are simulated at most")
    parser.add_argument("--steps", type=int, default=20_000, help="how long each walk through a small world is")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many mutants at once")
    parser.add_argument("--only", default="", help="the mutants whose names contain this")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if arguments.only in mutant.name]
    require_passing(test for mutant in chosen for test in (*mutant.tests, *(SEQUENCES for _ in mutant.sequences)))
    survived = 0
    with ThreadPoolExecutor(arguments.processes) as pool:
        tables = pool.map(lambda mutant: caught(mutant, arguments.seeds, arguments.steps), chosen)
        for mutant, by in zip(chosen, tables, strict=True):
            named = (by.sequences or "", by.seeds or "")
            wanted = (", ".join(sorted(mutant.sequences)), ", ".join(sorted(mutant.seeds)))
            noticed = by.directed is not None and named == wanted
            survived += not noticed
            print(f"{'caught' if noticed else 'survived':8} {mutant.name}", flush=True)
            for how, what in by._asdict().items():
                print(f"         {how:9} {what or '-'}", flush=True)
    print(f"{len(chosen) - survived} passed, {survived} failed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
