"""`python -m tests.mutants [--seeds N]`: undo one repair of the consensus after the other, and see who notices.

Each mutant is run against the directed tests; one that these let through, against the simulation. A table says how each
was caught; one that survives is a failure, and so is one whose text is not in the source any more.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.mutants.repairs import MUTANTS, Mutant

ROOT: Final = Path(__file__).resolve().parents[2]
_DIRECTED: Final = "tests/unit/raft/replica"
_FAILED: Final = re.compile(r"^FAILED \S+::(\w+)", re.MULTILINE)
_SEED: Final = re.compile(r"^seed (\d+):", re.MULTILINE)


def caught_by(mutant: Mutant, seeds: int) -> str | None:
    """Return who noticed the mutant, None if nobody did."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        for part in ("wire", "tests", "pyproject.toml"):
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns(".cache", "__pycache__"))
            else:
                shutil.copy(source, folder / part)
        file = folder / "wire/raft" / mutant.file
        text = file.read_text()
        if text.count(mutant.old) != 1:
            raise SystemExit(f"{mutant.name}: its text is {text.count(mutant.old)} times in {mutant.file}")
        file.write_text(text.replace(mutant.old, mutant.new))
        directed = _run(folder, "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout=30", _DIRECTED)
        if directed.returncode:
            found = _FAILED.search(directed.stdout)
            return f"directed: {found[1]}" if found else f"directed: {directed.stdout[-200:]}"
        simulated = _run(folder, "tests.sim.raft", "--first", "1", "--seeds", str(seeds))
        if simulated.returncode:
            found = _SEED.search(simulated.stdout)
            return f"simulation: seed {found[1]} of {seeds}" if found else "simulation"
    return None


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--seeds", type=int, default=200, help="how many clusters to simulate where no test notices")
    parser.add_argument("--only", help="the mutants whose names contain this")
    arguments = parser.parse_args()
    survived = 0
    chosen = [mutant for mutant in MUTANTS if (arguments.only or "") in mutant.name]
    for mutant in chosen:
        who = caught_by(mutant, arguments.seeds)
        survived += who is None
        print(f"{'survived' if who is None else 'caught':9} {mutant.name:55} {who or ''}", flush=True)
    print(f"{len(chosen) - survived} passed, {survived} failed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
