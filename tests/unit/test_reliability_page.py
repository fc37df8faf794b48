"""The page of pains names its tests: fifteen rows, and every test is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", (ROOT / "docs/reliability.md").read_text(), re.MULTILINE)


def test_every_pain_has_a_test_and_every_test_is_there() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 16))
    there = {
        name for file in (ROOT / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)\(", file.read_text())
    }
    for number, cell in ROWS:
        named = set(re.findall(r"`(test_\w+)`", cell))
        assert named, number
        assert named <= there, (number, named - there)
