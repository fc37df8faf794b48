"""Does what docs/tutorial.md says, in its order: writes its files, types its commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.e2e.command import rows, wire
from tests.services.kafka_client import KafkaCluster

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(yaml|console)\n(.*?)```", re.DOTALL)
FLIGHTS = 27_004


@pytest.mark.kafka
async def test_the_tutorial_does_what_it_says(kafka: KafkaCluster, tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    flights, delayed = await kafka.create_topic(partitions=3), await kafka.create_topic(partitions=3)
    for kind, block in BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text()):
        if kind == "yaml":
            name = re.match(r"# (\S+\.yaml)\n", block)
            assert name, block
            text = block.replace("localhost:9092", kafka.bootstrap)
            text = text.replace("topic: flights", f"topic: {flights}").replace("topic: delayed", f"topic: {delayed}")
            (tmp_path / name[1]).write_text(text)
            continue
        for line in block.splitlines():
            program, *arguments = shlex.split(line.removeprefix("$ "))
            assert program == "wire"
            outcome = await wire(*arguments, cwd=tmp_path)
            assert outcome.code == 0, f"{line}\n{outcome.err}"
    late = await kafka.consume(delayed)
    assert sum((await kafka.end_offsets(flights)).values()) == FLIGHTS + 1
    assert len(late) == 4918
    worst = [row for path in sorted(tmp_path.glob("out/worst*.jsonl")) for row in rows(path)]
    assert worst
    assert all(row["delay_s"] >= 3 * 3600 for row in worst)
    (letter,) = rows(tmp_path / "out" / "dead-letters.jsonl")
    assert "soon" in letter["value"]
