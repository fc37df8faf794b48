"""The page about consensus names its tests: each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/consensus.md").read_text()
FOLDERS = [ROOT / "tests" / kind / "raft" for kind in ("unit", "integration", "sim")]
ROWS = re.findall(r"^\| (\d+) \|.*\|.*\| (.*) \|$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def tests() -> set[str]:
    files = [file for folder in FOLDERS for file in folder.rglob("*.py")]
    return {name for file in files for name in re.findall(r"def (test_\w+)\(", file.read_text())}


def test_every_test_that_the_page_names_is_there(tests: set[str]) -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40
    assert named - tests == set()


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:[\w/]+/)?test_\w+\.py|tests/[\w/]+)`", PAGE)
    assert [name for name in named if not any(ROOT.glob(f"tests/**/{name.removeprefix('tests/')}"))] == []
    assert named


def test_every_row_of_the_table_names_a_test() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, len(ROWS) + 1))
    assert [number for number, cell in ROWS if "`test_" not in cell] == []
