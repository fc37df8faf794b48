"""What is made of the results: not written yet."""

from pathlib import Path
from benchmarks.results import ROOT

PAGE = ROOT / "docs" / "performance.md"


def table(out: Path) -> str:
    return ""


def publish(out: Path) -> None: ...
