"""How the interpreter is set while `wire run` moves records, seen from a transform: in a process of its own."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from tests.e2e.command import rows, run

LOOK = """\
import gc
import sys


def look(records):
    seen = {"switch_s": sys.getswitchinterval(), "frozen": gc.get_freeze_count(), "threshold": gc.get_threshold()[0]}
    return [seen for _ in records]
"""


async def test_threads_get_their_turn_sooner_and_the_collector_runs_less_often_than_by_default(tmp_path: Path) -> None:
    (tmp_path / "looking.py").write_text(LOOK)
    spec = {
        "source": {"type": "generate", "config": {"count": 1, "fields": {"n": {"type": "sequence"}}}},
        "transforms": [{"python": "looking:look"}],
        "sink": {"type": "file", "config": {"path": "out.jsonl"}},
    }
    outcome = await run(tmp_path, spec)
    assert outcome.code == 0, outcome.err
    (seen,) = rows(tmp_path / "out.jsonl")
    assert seen["switch_s"] <= sys.getswitchinterval() / 10
    assert seen["threshold"] > gc.get_threshold()[0]
    assert seen["frozen"] > 10_000
